"use strict";

// Results that the hub gets from clients.

module.exports = {
  async result_of_the_caller(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", (question) => `${question} 42`);
    t.equal(await c.invoke("AskCaller", "the answer is"), "the answer is 42");
  },

  async result_that_takes_time(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", async (question) => `${question} ${await c.invoke("Add", 40, 2)}`);
    t.equal(await c.invoke("AskCaller", "the answer is"), "the answer is 42");
  },

  async result_of_another_client(t) {
    t.needs("results");
    const [a, b] = [await t.connect(), await t.connect({ protocol: t.other })];
    b.connection.on("Ask", (question) => `${question} I am b`);
    t.equal(await a.invoke("AskClient", await b.id(), "who?"), "who? I am b");
  },

  async result_asked_from_outside(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", (question) => `${question}!`);
    const id = encodeURIComponent(await c.id());
    t.equal(await t.control("POST", `ask/${id}`), { answer: "outside!" });
  },

  async result_structs(t) {
    t.needs("results");
    const c = await t.connect();
    const ann = { name: "Ann \u{1f44b}", born: 1990, tags: ["a", "b"] };
    c.connection.on("AskPerson", (p) => ({ ...p, born: p.born + 1 }));
    t.equal(await c.invoke("AskPerson", ann), { ...ann, born: 1991 });
  },

  async result_null(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", () => null);
    t.equal(await c.invoke("AskCaller", ""), "");
  },

  async result_without_handler(t) {
    t.needs("results");
    const c = await t.connect();
    await t.fails(c.invoke("AskCaller", "what?"),
      "An unexpected error occurred invoking 'AskCaller' on the server. HubException: Client didn't provide a result.");
  },

  async result_of_a_handler_that_throws(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", () => { throw new Error("from callback"); });
    await t.fails(c.invoke("AskCaller", "what?"),
      "An unexpected error occurred invoking 'AskCaller' on the server. HubException: Error: from callback");
  },

  async result_twice(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", () => "one");
    c.connection.on("Ask", () => "two");
    await t.fails(c.invoke("AskCaller", "what?"),
      "An unexpected error occurred invoking 'AskCaller' on the server. HubException: Client provided multiple results.");
  },

  async result_of_the_wrong_type(t) {
    t.needs("results");
    const c = await t.connect();
    c.connection.on("Ask", () => 42);
    await t.fails(c.invoke("AskCaller", "what?"), "An unexpected error occurred invoking 'AskCaller' on the server.");
  },

  async result_of_a_client_that_goes(t) {
    t.needs("results");
    const [a, b] = [await t.connect(), await t.connect()];
    b.connection.on("Ask", () => new Promise(() => b.connection.stop()));
    await t.fails(a.invoke("AskClient", await b.id(), "who?"), "An unexpected error occurred invoking 'AskClient' on the server.");
  },

  async result_of_nobody(t) {
    const c = await t.connect();
    await t.fails(c.invoke("AskClient", "nobody", "who?"), "An unexpected error occurred invoking 'AskClient' on the server.");
  },

  // While the hub waits for the client, it handles the client's other calls.
  async result_beside_calls(t) {
    t.needs("results");
    const c = await t.connect();
    let answer;
    c.connection.on("Ask", () => new Promise((resolve) => { answer = resolve; c.changed(); }));
    const asking = c.invoke("AskCaller", "what?");
    await c.until(() => answer, "question");
    for (let i = 0; i < 10; i++) t.equal(await c.invoke("Add", i, i), 2 * i, "a call meanwhile");
    answer("late");
    t.equal(await asking, "late");
  },
};
