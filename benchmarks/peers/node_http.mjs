// A sink on Node's own http: JSON.parse, then JSON.stringify and one free send for each entity.
import http from "node:http";

function send(_message) {} // where a target's client would be called

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const entities = JSON.parse(Buffer.concat(pieces).toString());
    for (const entity of entities) send(JSON.stringify(entity));
    const answer = JSON.stringify({ delivered: entities.length });
    response.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(answer),
    });
    response.end(answer);
  });
});

server.listen(Number(process.env.PORT), process.env.BIND_ADDRESS, () => {
  const { address, port } = server.address();
  console.log(`listening on ${address}:${port}`);
});
process.on("SIGTERM", () => process.exit(0));
