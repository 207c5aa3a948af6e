// A market of random traders, published to a camera: node producer.mjs ws://127.0.0.1:8000 TOKEN [TICKS]
// Node 22 or newer, or any browser. Goes on after a broken connection without a hole or a double.
const [url, token, ticks = "2000"] = process.argv.slice(2);
const last = Number(ticks), most = 1000, held = []; // held: not acknowledged, [number, text] each
const passing = [1001, 1005, 1006, 1011, 1012, 1013, 4409, 4503]; // what may be otherwise soon
let t = 0, mid = 50_000, socket, sent = 0, done = 0, tries = 0;

function nextTick() {
  const actions = {}, ids = { buy: [], sell: [] }; // ten agents quote within half a percent
  for (let id = 0; id < 10; id++) {
    const side = Math.random() < 0.5 ? "buy" : "sell";
    ids[side].push(id), (actions[id] = { side, price: mid * (0.995 + 0.01 * Math.random()) });
  }
  const matches = ids.buy.slice(0, 3).map((id, k) => [id, ids.sell[k] ?? -1]); // -1: an outsider
  held.push([++t, JSON.stringify({ t, mid, actions, matches })]);
  mid *= 0.9995 + 0.001 * Math.random();
}
function hear({ type, last_t, ticks, error }) {
  if (type === "refused") console.error(error);
  if (type !== "hello" && type !== "ack") return; // heartbeats, and what later versions say
  if (type === "hello") { // the camera has all up to last_t: the rest is sent (again)
    if (t === 0) t = last_t ?? 0;
    while (held.length && held[0][0] <= (last_t ?? 0)) held.shift();
    sent = done = 0;
  } else sent -= held.splice(0, ticks - done).length, (done = ticks);
  while (t < last && held.length < most) nextTick();
  while (sent < held.length) socket.send(held[sent++][1]);
  if (held.length === 0) socket.send('{"type":"end"}');
  tries = 0;
}
(function connect() {
  socket = new WebSocket(`${url}/ws/ingest?source=javascript`);
  socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token }));
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code, reason }) => {
    if (code === 1000) console.log(`published up to tick ${t}`); // after the end
    else if (!passing.includes(code) || ++tries > 20) console.error(code, reason), (process.exitCode = 1);
    else setTimeout(connect, Math.min(100 * 2 ** tries, 5000)); // for a minute and a half
  };
})();
