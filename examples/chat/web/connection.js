// A hub connection that never gives up.

// delay returns how long to wait before the next attempt, in milliseconds. The
// random part keeps a thousand browsers from coming back in the same moment.
export function delay(attempts) {
  return attempts === 0 ? 0 : Math.min(500 * 2 ** attempts, 10_000) * (0.5 + Math.random() / 2);
}

export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * connect starts a connection to the hub at url and returns it.
 *
 * on has a function for each method that the hub calls. connected() runs before the
 * state is shown as connected, each time, because a connection that was lost comes back
 * as a new one: it is the place to join groups. showState(state, error) is
 * told "connecting", "connected", "reconnecting" and "disconnected".
 */
export function connect(url, { on, connected, showState }) {
  const connection = new signalR.HubConnectionBuilder()
    .withUrl(url)
    .withAutomaticReconnect({
      nextRetryDelayInMilliseconds: ({ previousRetryCount }) => delay(previousRetryCount),
    })
    .configureLogging(signalR.LogLevel.Warning)
    .build();

  for (const [method, handler] of Object.entries(on)) connection.on(method, handler);

  // The client reconnects what was connected once. Everything else is up to us:
  // a first start while the app server is down, and a close that is meant to be final.
  async function start(attempts) {
    for (; ; attempts++) {
      await wait(delay(attempts));
      showState("connecting");
      try {
        await connection.start();
        return ready();
      } catch (error) {
        showState("disconnected", error);
      }
    }
  }

  async function ready() {
    try {
      await connected();
    } catch (error) {
      if (connection.state === signalR.HubConnectionState.Connected) showState("connected", error);
      return; // else the connection was lost again, and there will be another one
    }
    showState("connected");
  }

  connection.onreconnecting((error) => showState("reconnecting", error));
  connection.onreconnected(ready);
  connection.onclose((error) => {
    showState("disconnected", error);
    start(1);
  });
  start(0);
  return connection;
}
