// Bluesky's servers on free ports of this machine alone: a directory of identities (PLC), a server of accounts (PDS)
// and the view of the apps (AppView, with the bsync it needs), which keeps its index in the PostgreSQL of DATABASE_URL.
//
// When all are there, one line of JSON: {"pds": URL, "appview": URL}. From then on one for every event of the PDS's
// firehose (com.atproto.sync.subscribeRepos), from the first and in order: {"kind", "did", "body"}, the body with the
// fields that Jetstream gives it. A line that begins otherwise is a server's log.
import net from 'node:net'

const freePort = () =>
  new Promise((resolve) => {
    const probe = net.createServer().listen({ port: 0, host: '127.0.0.1' }, () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
const pdsPort = await freePort() // the AppView must know it before the PDS is there

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...rest) {
  const options = typeof port === 'object' && port !== null ? port : { port: Number(port) }
  const ready = rest.find((one) => typeof one === 'function')
  return listen.call(this, { ...options, host: '127.0.0.1' }, ready)
}

const { TestBsky, TestBsync, TestPds, TestPlc, mockNetworkUtilities } = await import('@atproto/dev-env') // only now, so
const { Firehose } = await import('@atproto/sync') // that they listen as told above
const { lexStringify } = await import('@atproto/lex')

const database = process.env.DATABASE_URL
const secret = 'between-bsync-and-appview'
const plc = await TestPlc.create({})
const bsync = await TestBsync.create({ apiKeys: [secret], dbUrl: database, dbSchema: 'bsync' })
const bsky = await TestBsky.create({
  plcUrl: plc.url,
  repoProvider: `ws://localhost:${pdsPort}`,
  bsyncUrl: bsync.url,
  bsyncApiKey: secret,
  dbPostgresUrl: database,
  dbPostgresSchema: 'appview',
})
const pds = await TestPds.create({
  port: pdsPort,
  hostname: 'localhost',
  didPlcUrl: plc.url,
  bskyAppViewUrl: bsky.url,
  bskyAppViewDid: bsky.ctx.cfg.serverDid,
})
mockNetworkUtilities(pds, bsky) // a handle that ends in .test is asked of the PDS, not of the DNS
await bsky.sub.restart() // it need not wait for its next attempt to reach the PDS

const local = (server) => `http://127.0.0.1:${server.port}`
console.log(JSON.stringify({ pds: local(pds), appview: local(bsky) }))

const BODIES = {
  identity: ({ did, handle, seq, time }) => ({ did, handle, seq, time }),
  account: ({ did, active, status, seq, time }) => ({ did, active, status, seq, time }),
  create: ({ event, collection, rkey, rev, cid, record }) =>
    ({ operation: event, collection, rkey, rev, cid: String(cid), record }),
  delete: ({ event, collection, rkey, rev }) => ({ operation: event, collection, rkey, rev }),
}
BODIES.update = BODIES.create

let seen = 0
const firehose = new Firehose({
  service: `ws://localhost:${pdsPort}`,
  idResolver: bsky.dataplane.idResolver,
  unauthenticatedCommits: true, // as the AppView has it: the check of a deletion fails at times
  getCursor: () => seen,
  handleEvent: (event) => {
    seen = event.seq
    const { event: name, did } = event
    if (!BODIES[name]) return
    const kind = name in { identity: 0, account: 0 } ? name : 'commit'
    const body = Object.fromEntries(Object.entries(BODIES[name](event)).filter(([, value]) => value !== undefined))
    console.log(lexStringify({ kind, did, body }))
  },
  onError: (error) => console.error(error),
})
firehose.start()

const end = () => process.exit(0) // it keeps nothing
process.on('SIGTERM', end)
process.stdin.on('end', end).resume() // whoever started it is gone
