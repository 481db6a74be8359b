"use strict";

// Whom a message reaches.

const { three, reach } = require("../three");

module.exports = {
  async all(t) {
    const { peers } = await three(t);
    await peers[0].invoke("ToAll", "a");
    await reach(t, peers, "a", 1, 1, 1);
  },

  async others(t) {
    const { peers } = await three(t);
    await peers[0].invoke("ToOthers", "a");
    await reach(t, peers, "a", 0, 1, 1);
  },

  async caller(t) {
    const { peers } = await three(t);
    await peers[0].invoke("ToCaller", "a");
    await reach(t, peers, "a", 1, 0, 0);
  },

  async all_except(t) {
    const { peers, ids } = await three(t);
    await peers[0].invoke("ToAllExcept", [ids[0], ids[2]], "a");
    await reach(t, peers, "a", 0, 1, 0);
  },

  async client(t) {
    const { peers, ids } = await three(t);
    await peers[0].invoke("ToClients", [ids[1]], "a");
    await reach(t, peers, "a", 0, 1, 0);
  },

  async clients(t) {
    const { peers, ids } = await three(t);
    await peers[0].invoke("ToClients", [ids[1], "no-such-id", ids[2]], "a");
    await reach(t, peers, "a", 0, 1, 1);
  },

  async user(t) {
    const { peers } = await three(t, { user: "bob" }, { user: "alice" }, { user: "alice" });
    await peers[0].invoke("ToUsers", ["alice"], "a");
    await reach(t, peers, "a", 0, 1, 1);
  },

  async user_in_exact_spelling(t) {
    const { peers } = await three(t, { user: "Alice" }, { user: "alice" }, {});
    await peers[0].invoke("ToUsers", ["alice"], "a");
    await reach(t, peers, "a", 0, 1, 0);
  },

  async users(t) {
    const { peers } = await three(t, { user: "bob" }, { user: "alice" }, { user: "carol" });
    await peers[0].invoke("ToUsers", ["alice", "bob", "nobody"], "a");
    await reach(t, peers, "a", 1, 1, 0);
  },

  async clients_of_both_protocols(t) {
    const { peers } = await three(t, {}, { protocol: t.other }, {});
    await peers[1].invoke("ToAll", "from the other");
    await reach(t, peers, "from the other", 1, 1, 1);
  },

  async from_outside_of_a_call(t) {
    const c = await t.connect();
    await t.control("POST", "broadcast?text=news");
    t.equal(await c.received(1), ["news"]);
  },

  async objects(t) {
    const { peers } = await three(t);
    const value = { text: "Привет 👋", list: [1, 2.5, null], nested: { ok: true } };
    await peers[2].invoke("ToAll", value);
    for (const peer of peers) t.equal(await peer.received(1), [value]);
  },
};
