// The page. Texts from people go in as textContent only, never as markup.

const $ = (id) => document.getElementById(id);

function element(name, { text, ...properties } = {}, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  if (text !== undefined) e.textContent = text;
  e.append(...children);
  return e;
}

/** draw shows everything anew, which is quick enough for a chat. */
export function draw({ me, conversations, present, choose }) {
  const { everyone, rooms, people, open } = conversations;
  const item = (conversation, mark, hint) => listItem(conversation, conversation === open, mark, hint, choose);

  $("everyone").replaceChildren(item(everyone, symbol("everyone")));
  $("rooms").replaceChildren(...[...rooms.values()].map((room) => item(room, symbol("room"))));
  $("people").replaceChildren(
    ...present.filter((name) => name === me).map((name) => myself(name)),
    ...present.filter((name) => name !== me).map((name) => item(conversations.person(name), face(name, "here"))),
    ...[...people.values()]
      .filter((person) => !present.includes(person.name) && (person.lines.length > 0 || person === open))
      .map((person) => item(person, face(person.name, "gone"), present.length > 0 ? "left" : "")),
  );
  drawOpen(open, me, present);
}

function listItem(conversation, current, mark, hint, choose) {
  const button = element("button", { onclick: () => choose(conversation) }, mark,
    element("span", { className: "name", text: conversation.name }));
  if (hint) button.append(element("span", { className: "hint", text: hint }));
  if (current) button.setAttribute("aria-current", "true");
  if (conversation.unread > 0) {
    button.append(element("span", { className: "unread", text: conversation.unread, ariaLabel: `${conversation.unread} unread` }));
  }
  return element("li", {}, button);
}

function myself(name) {
  return element("li", { className: "me" }, face(name, "here"),
    element("span", { className: "name", text: name }), element("span", { className: "hint", text: "you" }));
}

function drawOpen({ kind, name, lines }, me, present) {
  const others = present.length === 1 ? "Only you are here" : `${present.length} people are here`;
  const subtitle = {
    everyone: present.length === 0 ? "Nobody can be reached right now" : others,
    room: "Only those who have joined the room see this",
    person: `Only ${name} and you see this`,
  }[kind];
  $("title").textContent = name;
  $("subtitle").textContent = subtitle;
  $("face").replaceChildren(kind === "person" ? face(name) : symbol(kind));
  $("leave").hidden = kind !== "room";
  $("text").placeholder = kind === "everyone" ? "Message to everyone" : `Message to ${name}`;

  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const same = log.dataset.open === `${kind} ${name}`;
  if (!same) log.replaceChildren();
  log.dataset.open = `${kind} ${name}`;
  for (let i = log.children.length; i < lines.length; i++) log.append(lineItem(lines[i], lines[i - 1], me));
  if (atEnd || !same) log.scrollTop = log.scrollHeight;
}

function lineItem(line, before, me) {
  if (line.notice) return element("li", { className: "notice", text: line.notice });
  const item = element("li", { className: line.from === me ? "message mine" : "message" });
  if (before?.from !== line.from) {
    const time = line.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    item.classList.add("first");
    item.append(face(line.from), element("div", { className: "by" },
      element("strong", { text: line.from }), element("time", { text: time, dateTime: line.at.toISOString() })));
  }
  item.append(element("p", { text: line.text }));
  return item;
}

// face returns the picture of a person: an initial on a colour that belongs to the name.
function face(name, presence) {
  const sum = [...name].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 4096, 0);
  const e = element("span", { className: "face", text: [...name][0].toUpperCase() });
  e.ariaHidden = "true";
  e.style.setProperty("--hue", (sum * 53) % 360);
  if (presence) e.classList.add(presence);
  return e;
}

function symbol(kind) {
  const e = element("span", { className: "symbol", text: kind === "room" ? "#" : "@" });
  e.ariaHidden = "true";
  return e;
}

export function showState(state, error) {
  $("state").textContent = state;
  $("state").dataset.state = state;
  $("why").textContent = error ? error.message : "";
  $("why").hidden = !error;
  $("send").querySelector("button").disabled = state !== "connected";
}

/** showError shows a sentence above the message field, or none. */
export function showError(text) {
  // The client puts its own words around those of a HubException.
  $("error").textContent = text.replace(/^.*HubException: /, "");
  $("error").hidden = text === "";
}

export function focusText() {
  $("text").focus();
}

export function onEnter(handle) {
  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("name").value.trim();
    if (name === "") return;
    $("welcome").hidden = true;
    $("chat").hidden = false;
    document.title = `${name} · Switchboard chat`;
    handle(name);
    focusText();
  });
}

export function onLeave(handle) {
  $("leave").addEventListener("click", handle);
}

// What was typed stays in the field until it was taken.
function onText(form, field, handle) {
  $(form).addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $(field).value.trim();
    if (text !== "" && (await handle(text)) && $(field).value.trim() === text) $(field).value = "";
  });
}

export const onSend = (handle) => onText("send", "text", handle);
export const onJoin = (handle) => onText("join", "room", handle);
