"use strict";

// What is special about each version of the client. A lack is told as the
// reason for which a case is skipped.

const httpErrorOld = (status, reason) => reason; // HttpError had the reason phrase for its message
const httpErrorNew = (status, reason, body) =>
  `Failed to complete negotiation with the server: Error: ${body || reason}: Status code '${status}'`;

// What clients up to 5.0 say when a stream of Server-Sent Events ends, whatever came
// before.
const endOfStream = "Error occurred";

// Node had no fetch of its own then, and the client takes one for a browser's, which
// keeps cookies by itself.
const withoutFetch = () => delete globalThis.fetch;

const noResults = "the client gives no results before 7.0";
const noStateful = "the client has no stateful reconnect before 8.0";

module.exports = {
  "10.0.11": { client: "signalr-10", msgpack: "signalr-10-msgpack", negotiateVersion: 1, httpError: httpErrorNew, lacks: {} },
  "9.0.19": { client: "signalr-9", msgpack: "signalr-9-msgpack", negotiateVersion: 1, httpError: httpErrorNew, lacks: {} },
  "8.0.29": { client: "signalr-8", msgpack: "signalr-8-msgpack", negotiateVersion: 1, httpError: httpErrorNew, lacks: {} },
  "7.0.14": { client: "signalr-7", msgpack: "signalr-7-msgpack", negotiateVersion: 1, httpError: httpErrorNew, prepare: withoutFetch, lacks: { stateful: noStateful } },
  "6.0.25": { client: "signalr-6", msgpack: "signalr-6-msgpack", negotiateVersion: 1, httpError: httpErrorNew, prepare: withoutFetch, lacks: { results: noResults, stateful: noStateful } },
  "5.0.17": {
    client: "signalr-5", msgpack: "signalr-5-msgpack", negotiateVersion: 1, httpError: httpErrorOld,
    prepare: withoutFetch,
    lacks: { results: noResults, stateful: noStateful }, endOfStream,
  },
  "3.1.31": {
    client: "signalr-3.1", msgpack: "signalr-3.1-msgpack", negotiateVersion: 1, httpError: httpErrorOld,
    lacks: { headers: "the client has no headers option before 5.0", results: noResults, stateful: noStateful }, endOfStream,
  },
  "1.1.4": {
    client: "aspnet-signalr-1.1", msgpack: "aspnet-signalr-1.1-msgpack", negotiateVersion: 0, httpError: httpErrorOld,
    lacks: {
      headers: "the client has no headers option before 5.0",
      connectionId: "the client does not tell its connection id before 3.0",
      reconnect: "the client has no automatic reconnect before 3.0",
      results: noResults,
      stateful: noStateful,
      upload: "the client sends no streams before 3.0",
      cancel: "the client cannot cancel a stream in MessagePack before 3.0",
      order: "the client sends its POSTs side by side before 3.0, so they arrive in any order",
    },
    endOfStream,
  },
};
