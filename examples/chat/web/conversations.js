// What was said, by conversation: with everyone, in a room, or with one person.

export class Conversation {
  constructor(kind, name) {
    this.kind = kind; // "everyone", "room" or "person"
    this.name = name;
    this.lines = []; // {from, text, at}, or {notice, at}
    this.unread = 0;
  }
}

export class Conversations {
  everyone = new Conversation("everyone", "Everyone");
  rooms = new Map();
  people = new Map();

  constructor() {
    this.open = this.everyone;
  }

  room(name) {
    return find(this.rooms, "room", name);
  }

  person(name) {
    return find(this.people, "person", name);
  }

  /** of returns the conversation that a message from the hub belongs to. */
  of(message, me) {
    if (message.room) return this.room(message.room);
    if (message.to) return this.person(message.from === me ? message.to : message.from);
    return this.everyone;
  }

  /** add appends a line. What is not open has something unread, unless it is a notice. */
  add(conversation, line) {
    conversation.lines.push({ ...line, at: new Date() });
    if (conversation !== this.open && !line.notice) conversation.unread++;
  }

  show(conversation) {
    conversation.unread = 0;
    this.open = conversation;
  }

  leave(room) {
    this.rooms.delete(room.name);
    if (this.open === room) this.show(this.everyone);
  }
}

function find(map, kind, name) {
  if (!map.has(name)) map.set(name, new Conversation(kind, name));
  return map.get(name);
}
