// @ts-check
/**
 * Requests to the camera that served this page. Where it asks readers for a token, the token is
 * kept for as long as the tab is open, and shown with each request.
 */

import { objectsOf } from "./lines.js";

const KEPT_AS = "marketcam.token";
/** A camera that has not answered by then is asked again, or is not there. */
const PATIENCE_MS = 10_000;
/** Of an answer that is computed line by line, the next line comes within so long. */
const LINE_PATIENCE_MS = 60_000;

/** The camera wants a token, or another one. */
export class TokenNeeded extends Error {}

/** A request was answered with an error. */
export class RequestFailed extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The camera, as HTTP and WebSocket show it. */
export class Server {
  /** @param {URL} [page] address of the page; its folder lies in the camera's root */
  constructor(page = new URL("..", document.baseURI)) {
    this.root = page;
    /** @type {string | null} */
    this.token = sessionStorage.getItem(KEPT_AS);
  }

  /** @param {string | null} token */
  useToken(token) {
    this.token = token;
    if (token === null) sessionStorage.removeItem(KEPT_AS);
    else sessionStorage.setItem(KEPT_AS, token);
  }

  /**
   * Return the address of a path of the camera.
   * @param {string} path without a slash before it
   * @param {Record<string, string | number | null | undefined>} [query] what is null is left out
   * @returns {URL}
   */
  address(path, query = {}) {
    const url = new URL(path, this.root);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  /**
   * Return the address of a WebSocket of the camera.
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} [query]
   * @returns {string}
   */
  socketAddress(path, query = {}) {
    const url = this.address(path, query);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  /**
   * Ask for JSON.
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} [query]
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   * @throws {TokenNeeded} 401
   * @throws {RequestFailed} another status than 200, with the reason that the camera gave
   * @throws {DOMException} it took too long, or was given up
   */
  async json(path, query = {}, signal = undefined) {
    const inTime = AbortSignal.timeout(PATIENCE_MS);
    const ends = signal ? AbortSignal.any([signal, inTime]) : inTime;
    return (await this.#answer(path, query, ends)).json();
  }

  /**
   * Ask for lines of JSON; they are given as they come.
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} query
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<any, void>}
   * @throws {TokenNeeded | RequestFailed | DOMException | Error} as `json`; or it was broken off
   */
  async *lines(path, query, signal) {
    const silent = new AbortController();
    const wait = () => setTimeout(() => silent.abort(new Error("no answer")), LINE_PATIENCE_MS);
    let timer = wait();
    try {
      const ends = AbortSignal.any([signal, silent.signal]);
      const { body } = await this.#answer(path, query, ends);
      if (!body) return;
      yield* objectsOf(body, () => {
        clearTimeout(timer);
        timer = wait();
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} query
   * @param {AbortSignal} signal
   * @returns {Promise<Response>}
   */
  async #answer(path, query, signal) {
    /** @type {Record<string, string>} */
    const headers = this.token === null ? {} : { authorization: `Bearer ${this.token}` };
    const answer = await fetch(this.address(path, query), { headers, signal });
    if (answer.status === 401) throw new TokenNeeded(await reasonOf(answer));
    if (!answer.ok) throw new RequestFailed(await reasonOf(answer), answer.status);
    return answer;
  }
}

/** @param {Response} answer */
async function reasonOf(answer) {
  const status = `${answer.status} ${answer.statusText}`.trim();
  try {
    return String((await answer.json())?.error ?? status);
  } catch {
    return status;
  }
}
