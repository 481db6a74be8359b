"use strict";

// Streams from the client to the hub.

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

// upload calls a method with a stream, and returns that and the answer.
function upload(t, c, method, ...args) {
  t.needs("upload");
  const s = new t.signalr.Subject();
  const answer = c.invoke(method, ...args, s);
  answer.catch(() => {}); // it is awaited later
  return { s, answer };
}

module.exports = {
  async upload_numbers(t) {
    const c = await t.connect();
    const { s, answer } = upload(t, c, "UploadNumbers");
    const { WebSockets } = t.signalr.HttpTransportType;
    const all = numbers(t.transport === WebSockets ? 1000 : 100); // each may be a POST
    for (const n of all) s.next(n);
    s.complete();
    t.equal(await answer, all, "what the hub got");
  },

  async upload_nothing(t) {
    const c = await t.connect();
    const { s, answer } = upload(t, c, "uploadNumbers");
    s.complete();
    t.equal(await answer, [], "what the hub got");
  },

  async upload_structs(t) {
    const c = await t.connect();
    const people = [{ name: "Ann", born: 1990, tags: ["a"] }, { name: "J\u00f6rg \u{1f44b}", born: -3, tags: [] }];
    const { s, answer } = upload(t, c, "UploadPersons", "crew");
    for (const p of people) s.next(p);
    s.complete();
    t.equal(await answer, { title: "crew", people }, "what the hub got");
  },

  // Between the two is another argument: the client misses the second of two in a row.
  async upload_several(t) {
    t.needs("upload");
    const c = await t.connect();
    const [a, b] = [new t.signalr.Subject(), new t.signalr.Subject()];
    const answer = c.invoke("UploadPair", a, "/", b);
    for (const n of numbers(5)) {
      a.next(n);
      b.next(`${n}`);
    }
    b.complete();
    a.complete();
    t.equal(await answer, "0 1 2 3 4 / 0 1 2 3 4", "what the hub got");
  },

  async upload_that_fails(t) {
    const c = await t.connect();
    const { s, answer } = upload(t, c, "UploadNumbers");
    s.next(1);
    s.error("out of ink");
    await t.fails(answer, "An unexpected error occurred invoking 'UploadNumbers' on the server. HubException: out of ink");
  },

  async upload_and_stream_back(t) {
    t.needs("upload");
    const c = await t.connect();
    const s = new t.signalr.Subject();
    const got = [];
    const end = new Promise((resolve, reject) => {
      c.connection.stream("UploadDoubled", s).subscribe({ next: (n) => { got.push(n); c.changed(); }, complete: resolve, error: reject });
    });
    for (const n of numbers(100)) s.next(n);
    await c.until(() => got.length === 100, "items");
    s.complete();
    await end;
    t.equal(got, numbers(100).map((n) => 2 * n), "items");
  },

  async upload_without_an_answer(t) {
    t.needs("upload");
    const c = await t.connect();
    const s = new t.signalr.Subject();
    await c.send("UploadNumbersAndTell", s);
    for (const n of numbers(10)) s.next(n);
    s.complete();
    t.equal(await c.received(1), [numbers(10)], "what the hub got");
  },

  // The hub takes nothing for a while: calls and streams wait, and nothing is lost.
  async upload_to_a_slow_hub(t) {
    const c = await t.connect();
    const { s, answer } = upload(t, c, "UploadSlowly");
    for (const n of numbers(100)) s.next(n);
    s.complete();
    t.equal(await c.invoke("Add", 1, 2), 3, "a call meanwhile");
    t.equal(await answer, numbers(100), "what the hub got");
  },

  async upload_that_the_hub_does_not_want(t) {
    const c = await t.connect();
    const { s, answer } = upload(t, c, "UploadFirst");
    for (const n of numbers(50)) s.next(n);
    t.equal(await answer, 0, "the first item");
    for (const n of numbers(50)) s.next(n);
    s.complete();
    t.equal(await c.invoke("Add", 1, 2), 3, "a call after that");
  },

  async upload_to_a_plain_method(t) {
    const c = await t.connect();
    const { answer } = upload(t, c, "Nothing");
    await t.fails(answer,
      "An unexpected error occurred invoking 'Nothing' on the server. HubException: Client sent 1 stream(s), Hub method expects 0.");
  },

  async upload_of_a_client_that_stops(t) {
    const c = await t.connect();
    const id = await c.id();
    const { s } = upload(t, c, "UploadNumbers");
    s.next(1);
    t.equal(await c.invoke("Add", 1, 2), 3, "a call meanwhile");
    await c.connection.stop();
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },
};
