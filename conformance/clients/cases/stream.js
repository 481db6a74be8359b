"use strict";

// Streams from the hub to the client.

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

// collect takes what a stream brings. got grows; end settles with the stream.
function collect(c, ...call) {
  const got = [];
  let subscription;
  const end = new Promise((resolve, reject) => {
    subscription = c.connection.stream(...call).subscribe({ next: (item) => { got.push(item); c.changed(); }, complete: resolve, error: reject });
  });
  end.catch(() => {}); // it is awaited later, or not at all
  return { got, end, stop: () => subscription.dispose() };
}

module.exports = {
  async stream_numbers(t) {
    const c = await t.connect();
    const s = collect(c, "StreamNumbers", 1000);
    await s.end;
    t.equal(s.got, numbers(1000), "items");
  },

  async stream_nothing(t) {
    const c = await t.connect();
    const s = collect(c, "streamNumbers", 0);
    await s.end;
    t.equal(s.got, [], "items");
  },

  async stream_structs(t) {
    const c = await t.connect();
    const people = [{ name: "Ann", born: 1990, tags: ["a"] }, { name: "J\u00f6rg \u{1f44b}", born: -3, tags: [] }];
    const s = collect(c, "StreamPersons", people);
    await s.end;
    t.equal(s.got, people, "items");
  },

  async stream_that_fails(t) {
    const c = await t.connect();
    const s = collect(c, "StreamThenFail", 3, "enough");
    await t.fails(s.end, "An error occurred on the server while streaming results. HubException: enough");
    t.equal(s.got, numbers(3), "items before the error");
  },

  async stream_beside_calls(t) {
    if (t.protocol === "messagepack") t.needs("cancel");
    const c = await t.connect();
    const forever = collect(c, "StreamForever");
    const s = collect(c, "StreamNumbers", 100);
    t.equal(await c.invoke("Add", 1, 2), 3, "a call");
    await s.end;
    t.equal(s.got, numbers(100), "items of another stream");
    await c.until(() => forever.got.length > 10, "items");
    forever.stop();
    t.equal(await c.received(1), ["stream ended"], "word of the hub");
    t.equal(forever.got, numbers(forever.got.length), "items until it was cancelled");
    t.equal(await c.invoke("Add", 3, 4), 7, "a call after that");
  },

  async stream_of_a_client_that_stops(t) {
    const c = await t.connect();
    const id = await c.id();
    const s = collect(c, "StreamForever");
    await c.until(() => s.got.length > 2, "items");
    await c.connection.stop();
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },

  async stream_called_as_a_plain_method(t) {
    const c = await t.connect();
    await t.fails(c.invoke("StreamNumbers", 1),
      "The client attempted to invoke the streaming 'StreamNumbers' method with a non-streaming invocation.");
  },
};
