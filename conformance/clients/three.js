"use strict";

// three connects three clients, each with its own options.
async function three(t, ...options) {
  const peers = [await t.connect(options[0]), await t.connect(options[1]), await t.connect(options[2])];
  return { peers, ids: await Promise.all(peers.map((p) => p.id())) };
}

// reach checks how often each client got text. It sends a last message to everybody:
// the call that sent text has been answered, so a message too many would have come
// before that.
async function reach(t, peers, text, ...want) {
  await peers[0].invoke("ToAll", "end");
  for (const [i, peer] of peers.entries()) {
    await peer.until(() => peer.inbox.includes("end") && peer.inbox.length > want[i], "last message");
    const got = peer.inbox.splice(0).sort(); // cases/order.js is about order
    t.equal(got, [...Array(want[i]).fill(text), "end"].sort(), `messages of client ${i}`);
  }
}

module.exports = { three, reach };
