import type { RequestHandler } from 'express'
import { unreadBytes, unreadMs } from './limits.ts'

const lookMs = 100

/**
 * Bounds what comes of a body when its request has been answered already: of a stranger, of a body that was refused,
 * or where none is taken. Some of it is let through, because a client that is cut off while it sends never reads its
 * answer; then the connection is cut.
 */
export function unreadRest(): RequestHandler {
  return (req, res, next) => {
    res.once('finish', () => {
      if (req.complete || req.destroyed) return
      const { socket } = req
      const limit = socket.bytesRead + unreadBytes
      const deadline = performance.now() + unreadMs
      const look = setInterval(() => {
        if (req.complete || socket.destroyed) return clearInterval(look)
        if (socket.bytesRead > limit || performance.now() > deadline) socket.destroy()
      }, lookMs)
      socket.once('close', () => clearInterval(look))
    })
    next()
  }
}
