// A source on Node's own http: JSON.stringify and one write for each entity, waiting where it must.
import { once } from "node:events";
import http from "node:http";

const known = Array.from({ length: 500 }, (_, at) => ({
  _deleted: false,
  number: at * 137,
  first_name: "Frøydis",
  last_name: "Kjærstad",
  email: `kunde${at}@eksempel.no`,
  telephone: `+47 480 ${10_000 + at}`,
  street: `Bjørkealléen ${at}`,
  postal_code: "9008",
  city: "Tromsø",
  active: true,
  invoices: at,
  note: "kunden ønsker levering før påske fakturaen må sendes på nytt måleren er byttet og avlest ".repeat(2),
  left: null,
}));

const server = http.createServer(async (request, response) => {
  const count = Number(new URL(request.url, "http://x").searchParams.get("count"));
  response.writeHead(200, { "Content-Type": "application/json" });
  response.write("[");
  for (let number = 0; number < count; number++) {
    const entity = { _id: `customer:${number}`, _updated: number, ...known[number % known.length] };
    const text = (number ? "," : "") + JSON.stringify(entity);
    if (!response.write(text)) await once(response, "drain");
  }
  response.end("]");
});

server.listen(Number(process.env.PORT), process.env.BIND_ADDRESS, () => {
  const { address, port } = server.address();
  console.log(`listening on ${address}:${port}`);
});
process.on("SIGTERM", () => process.exit(0));
