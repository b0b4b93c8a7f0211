// The official Node client alone: batches as full as they get, no HTTP and no JSON to read.
//
// Answers {"count": N, "queue": NAME, "noDelay": BOOL} on standard input once Service Bus has
// acknowledged that many messages of the file ENTITIES. With noDelay the client's sockets send at
// once, which the client itself does not ask for.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { performance } from "node:perf_hooks";
import readline from "node:readline";

const require = createRequire(process.env.NODE_MODULES_OF + "/");
const { ServiceBusClient } = require("@azure/service-bus");

let noDelay = false;
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...options) {
  if (noDelay) this.setNoDelay(true);
  return connect.apply(this, options);
};

const entities = readFileSync(process.env.ENTITIES, "utf8")
  .split("\n")
  .filter((line) => line)
  .map((line) => ({ messageId: JSON.parse(line)._id, body: Buffer.from(line) }));
const senders = new Map();

async function opened(queue) {
  const key = `${queue} ${noDelay}`;
  if (!senders.has(key)) {
    const client = new ServiceBusClient(process.env.CONNECTION_STRING);
    senders.set(key, client.createSender(queue));
    await senders.get(key).open?.();
  }
  return senders.get(key);
}

async function send(sender, count) {
  let batch = await sender.createMessageBatch();
  for (let i = 0; i < count; i++) {
    const message = { ...entities[i], contentType: "application/json" };
    if (!batch.tryAddMessage(message)) {
      await sender.sendMessages(batch);
      batch = await sender.createMessageBatch();
      batch.tryAddMessage(message);
    }
  }
  await sender.sendMessages(batch);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  noDelay = question.noDelay;
  const sender = await opened(question.queue);
  const start = performance.now();
  await send(sender, question.count);
  console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
}
process.exit(0);
