"use strict";

// sockets returns a class of WebSockets for a client, and what breaks the latest off.
module.exports = function sockets(client) {
  const ws = require(require.resolve("ws", { paths: [require.resolve(client)] })); // the one that it uses itself
  const all = [];
  class WebSocket extends (ws.WebSocket ?? ws) {
    constructor(...args) {
      super(...args);
      all.push(this);
    }
  }
  return { WebSocket, count: () => all.length, cut: () => all.at(-1).terminate() };
};
