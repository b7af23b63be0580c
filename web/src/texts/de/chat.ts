export const chat = {
  "chat.title": "Chat",
};
