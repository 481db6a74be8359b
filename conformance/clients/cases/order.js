"use strict";

// Order and size.

const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const megabyte = 1 << 20;

module.exports = {
  async sends_arrive_before_the_completion(t) {
    const c = await t.connect();
    await c.invoke("SendNumbers", 1000);
    t.equal(c.inbox, numbers(1000));
  },

  async calls_run_in_order(t) {
    t.needsOrder();
    const c = await t.connect();
    const answers = await Promise.all(numbers(100).map((i) => c.invoke("Count", i)));
    t.equal(answers, numbers(100), "answers");
    t.equal(c.inbox, numbers(100), "messages");
  },

  // The clients are served over different server connections.
  async one_call_to_several_audiences(t) {
    const caller = await t.connect();
    const others = await Promise.all(numbers(4).map(() => t.connect()));
    for (const other of others) {
      await caller.invoke("SendNumbersInTurn", await other.id(), 200);
      for (const peer of [caller, ...others]) {
        const want = peer === other ? numbers(200) : numbers(200).filter((i) => i % 2 === 1);
        t.equal(await peer.received(want.length), want);
      }
    }
  },

  async ten_thousand_there_and_back(t) {
    t.needsOrder();
    const c = await t.connect();
    await Promise.all(numbers(10000).map((i) => c.send("Count", i)));
    t.equal(await c.invoke("Counted"), 10000, "messages that reached the hub in order");
    t.equal(await c.received(10000), numbers(10000), "messages that came back");
  },

  async megabyte_there_and_back(t) {
    const c = await t.connect();
    const text = "0123456789abcde\u00fc".repeat(megabyte / 16);
    t.equal((await c.invoke("EchoText", text)) === text, true, "the result is the argument");
  },

  async megabyte_to_others(t) {
    const [a, b] = [await t.connect(), await t.connect()];
    const text = "x".repeat(megabyte);
    await a.invoke("ToOthers", text);
    const [got] = await b.received(1);
    t.equal(got === text, true, "what came is what was sent");
  },

  async megabyte_of_bytes(t) {
    if (t.protocol === "json") t.skip("the client has no bytes in JSON");
    const c = await t.connect();
    const bytes = new Uint8Array(megabyte).map((_, i) => i * 7);
    const got = await c.invoke("EchoBytes", bytes);
    t.equal(bytes.length === got.length && bytes.every((byte, i) => byte === got[i]), true, "the result is the argument");
  },
};
