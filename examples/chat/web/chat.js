import { Conversations } from "./conversations.js";
import * as view from "./view.js";

const conversations = new Conversations();
let me = "";
let present = { names: [], change: 0 };
let connection;

// The page comes with the client of ASP.NET Core SignalR, or with the one before it.
const { connect } = await import(window.signalR ? "./connection.js" : "./classic.js");

const draw = () => view.draw({ me, conversations, present: present.names, choose });

function choose(conversation) {
  conversations.show(conversation);
  view.showError("");
  draw();
  view.focusText();
}

function tell(conversation, line) {
  conversations.add(conversation, line);
  draw();
}

function noticeInRoom(room, notice) {
  if (conversations.rooms.has(room)) tell(conversations.room(room), { notice });
}

// What the hub calls.
const on = {
  message(message) {
    if (message.room && !conversations.rooms.has(message.room)) return; // sent before I left
    tell(conversations.of(message, me), message);
  },

  people(now) {
    if (now.change <= present.change) return; // overtaken by a newer one
    const before = present;
    present = now;
    const notices = before.change === 0 ? [] : [
      ...now.names.filter((name) => !before.names.includes(name)).map((name) => `${name} joined the chat`),
      ...before.names.filter((name) => !now.names.includes(name)).map((name) => `${name} left the chat`),
    ];
    for (const notice of notices) conversations.add(conversations.everyone, { notice });
    draw();
  },

  entered(room, name) {
    noticeInRoom(room, `${name} entered the room`);
  },

  exited(room, name) {
    noticeInRoom(room, `${name} left the room`);
  },
};

// A reconnected browser is in no room. Its place in them is kept here.
function rejoin() {
  return Promise.all([...conversations.rooms.keys()].map((room) => connection.invoke("Join", room)));
}

function showState(state, error) {
  if (state === "reconnecting" || state === "disconnected") {
    present = { names: [], change: 0 }; // an app server that starts again counts anew
  }
  view.showState(state, error);
  draw();
}

// call invokes a hub method and shows what goes wrong. It tells whether it went well.
async function call(method, ...args) {
  try {
    await connection.invoke(method, ...args);
    view.showError("");
    return true;
  } catch (error) {
    view.showError(error.message);
    return false;
  }
}

view.onEnter((name) => {
  me = name;
  draw();
  connection = connect(`/chat?name=${encodeURIComponent(name)}`, { on, connected: rejoin, showState });
});

view.onSend((text) => {
  const { kind, name } = conversations.open;
  if (kind === "room") return call("SayInRoom", name, text);
  if (kind === "person") return call("Whisper", name, text);
  return call("Say", text);
});

view.onJoin(async (name) => {
  const known = conversations.rooms.has(name);
  const room = conversations.room(name); // before the call, so that no message is missed
  if (!known) {
    if (!(await call("Join", name))) {
      conversations.leave(room);
      draw();
      return false;
    }
    conversations.add(room, { notice: "You entered the room" });
  }
  choose(room);
  return true;
});

view.onLeave(async () => {
  const room = conversations.open;
  if (!(await call("Leave", room.name))) return;
  conversations.leave(room);
  draw();
});
