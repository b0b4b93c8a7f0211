// One step of an exchange with the official Node client. Prints one line of JSON on success.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES_OF + "/");
const { ServiceBusClient } = require("@azure/service-bus");

const [step, queue] = process.argv.slice(2);
const client = new ServiceBusClient(process.env.CONNECTION_STRING, {
  retryOptions: { maxRetries: 0, timeoutInMs: 5000 },
});

async function receive(receiver, count) {
  const received = [];
  while (received.length < count) {
    const more = await receiver.receiveMessages(count - received.length, { maxWaitTimeInMs: 5000 });
    if (!more.length) throw new Error(`${received.length} of ${count} messages arrived`);
    received.push(...more);
  }
  return received;
}

const steps = {
  async send() {
    const sender = client.createSender(queue);
    const properties = { text: "grüß", number: 7, yes: true };
    await sender.sendMessages({
      body: "single",
      messageId: "id-1",
      contentType: "text/plain",
      applicationProperties: properties,
      partitionKey: "p",
    });
    const batch = await sender.createMessageBatch();
    for (let i = 0; i < 100; i++) batch.tryAddMessage({ body: `batch ${i}`, messageId: `b-${i}` });
    await sender.sendMessages(batch);
    await sender.scheduleMessages({ body: "later" }, new Date(Date.now() + 3_600_000));
    return { limit: batch.maxSizeInBytes };
  },
  async receive() {
    const receiver = client.createReceiver(queue);
    const peeked = await receiver.peekMessages(10);
    const [a, b, c] = await receive(receiver, 3);
    const locked = a.lockedUntilUtc > new Date() && a.lockToken.length === 36;
    await receiver.renewMessageLock(a);
    await receiver.completeMessage(a);
    await receiver.abandonMessage(b);
    await receiver.deadLetterMessage(c, { deadLetterReason: "r", deadLetterErrorDescription: "d" });
    const [again] = await receive(receiver, 1);
    await receiver.completeMessage(again);
    const dead = client.createReceiver(queue, {
      subQueueType: "deadLetter",
      receiveMode: "receiveAndDelete",
    });
    const [buried] = await receive(dead, 1);
    return {
      peeked: peeked.length,
      locked,
      body: String(a.body),
      messageId: a.messageId,
      contentType: a.contentType,
      properties: a.applicationProperties,
      again: [again.messageId, again.deliveryCount],
      buried: [buried.messageId, buried.deadLetterReason, buried.deadLetterErrorDescription],
    };
  },
  async fail() {
    try {
      await client.createSender(queue).sendMessages({ body: "x" });
    } catch (error) {
      return { code: error.code };
    }
    return { code: "none" };
  },
};

console.log(JSON.stringify(await steps[step]()));
await client.close();
