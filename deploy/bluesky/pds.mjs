// A PDS with a PLC directory in memory, on free ports of this machine alone; says where on one line of JSON.
import net from 'node:net'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...rest) {
  const options = typeof port === 'object' && port !== null ? port : { port: Number(port) }
  const ready = rest.find((one) => typeof one === 'function')
  return listen.call(this, { ...options, host: '127.0.0.1' }, ready)
}

const { TestNetworkNoAppView } = await import('@atproto/dev-env') // only now, so that it listens as told above
const network = await TestNetworkNoAppView.create({ pds: { hostname: 'localhost' } })
const port = new URL(network.pds.url).port
console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }))

const end = () => network.close().finally(() => process.exit(0))
process.on('SIGTERM', end)
process.stdin.on('end', end).resume() // whoever started it is gone
