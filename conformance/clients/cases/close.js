"use strict";

// How connections end.

module.exports = {
  async stop(t) {
    const c = await t.connect();
    const id = await c.id();
    await c.stop();
    t.equal(await c.end(), undefined, "error of onclose");
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },

  async stop_while_a_call_runs(t) {
    const c = await t.connect();
    const id = await c.id();
    const call = c.connection.invoke("Wait").then(() => "answered", () => "failed");
    t.equal(await c.received(1), ["waiting"]);
    await c.stop();
    t.equal(await call, "failed", "the call");
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },

  async abort(t) {
    const c = await t.connect({ reconnect: !t.version.lacks.reconnect });
    const id = await c.id();
    await c.send("Abort");
    t.endedWell(await c.end(), "error of onclose");
    t.equal(c.reconnecting, [], "attempts to reconnect");
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },

  async message_before_abort_arrives(t) {
    const c = await t.connect();
    await c.send("SayAndAbort", "goodbye");
    t.endedWell(await c.end(), "error of onclose");
    t.equal(c.inbox, ["goodbye"]);
  },

  async message_too_large(t) {
    const c = await t.connect({ path: "/strict" });
    const id = await c.id();
    await c.send("EchoText", "x".repeat(33000));
    const text = "Connection closed with an error. InvalidDataException: The maximum message size of 32768B was exceeded. " +
      "The message size can be configured in AddHubOptions.";
    t.equal(await c.end(), `Server returned an error on close: ${text}`, "error of onclose");
    t.equal((await t.disconnected(id)) !== "", true, "OnDisconnected has an error");
  },
};
