/** Entry for web pages: bundled to static/sse.js, an ES module. */
export { Consumer } from "./consumer.js";
export { openStream, SSEConsumer, WebSocketConsumer } from "./open.js";
export { say } from "./protocol/messages.js";
export { LimitExceeded, Parser } from "./protocol/sse.js";
export { AdaptiveTypewriter } from "./view/typewriter.js";
