// A transform on Node's own http: JSON.parse, one more property for each entity, JSON.stringify.
import http from "node:http";

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const entities = JSON.parse(Buffer.concat(pieces).toString());
    for (const entity of entities) {
      entity["crm-kunde:navn"] = `${entity["crm-kunde:fornavn"]} ${entity["crm-kunde:etternavn"]}`;
    }
    const answer = JSON.stringify(entities);
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
