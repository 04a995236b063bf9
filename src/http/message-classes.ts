import { IncomingMessage, ServerResponse } from 'node:http'
import express, { type Express } from 'express'

/** Options of `http.createServer`. */
export interface MessageClasses {
  readonly IncomingMessage: typeof IncomingMessage
  readonly ServerResponse: typeof ServerResponse
}

/**
 * Express changes the prototype of every request and response that reaches it (application.js, `handle`), and V8 then looks all
 * their properties up anew. Made with that prototype from the start, they stay as they are. The server must be created with these.
 */
export const createMessageClasses = (app: Express): MessageClasses => {
  class AppRequest extends IncomingMessage {}
  class AppResponse<T extends IncomingMessage = IncomingMessage> extends ServerResponse<T> {}
  const own = { app: { configurable: true, enumerable: true, writable: true, value: app } }
  Object.defineProperties(AppRequest.prototype, { ...Object.getOwnPropertyDescriptors(express.request), ...own })
  Object.defineProperties(AppResponse.prototype, { ...Object.getOwnPropertyDescriptors(express.response), ...own })
  Object.assign(app, { request: AppRequest.prototype, response: AppResponse.prototype })
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse }
}
