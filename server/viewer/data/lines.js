// @ts-check
/** Lines of JSON, as they come. */

/**
 * Read one object a line. Who stops reading ends the answer.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} onPiece something has come
 * @returns {AsyncGenerator<any, void>}
 * @throws {Error} it ends within a line
 */
export async function* objectsOf(body, onPiece) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      onPiece();
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it may be broken off already
  }
  if (rest) throw new Error("the answer ends within a line");
}
