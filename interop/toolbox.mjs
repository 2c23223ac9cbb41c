// Opening the npm toolbox's wallet on a SQLite file, without network.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { CachedKeyDeriver, PrivateKey } from '@bsv/sdk'

// CommonJS: its named exports are not all visible to `import`.
const require = createRequire(import.meta.url)
const { StorageKnex, Wallet, WalletStorageManager } = require('@bsv/wallet-toolbox')
const { knex } = require('knex')

const PRAGMAS = {
  default: [],
  durable: ['journal_mode = WAL', 'synchronous = FULL']
}

/** A key that names the store; fixed, so that two runs make the same file. */
const STORAGE_IDENTITY_KEY = PrivateKey.fromHex('09'.repeat(32)).toPublicKey().toString()

/** Every root is valid, every post is accepted, every header comes from `headerAt(height)`; anything else is offline. */
function offlineServices(chain, headerAt) {
  const known = {
    chain,
    getChainTracker: async () => ({ isValidRootForHeight: async () => true, currentHeight: async () => 1_000_000 }),
    getHeight: async () => 1_000_000,
    getHeaderForHeight: async height => {
      const header = headerAt(height)
      if (header === undefined) throw new Error(`no header at height ${height}`)
      return [...header]
    },
    nLockTimeIsFinal: async () => true,
    hashOutputScript: script => createHash('sha256').update(Buffer.from(script, 'hex')).digest('hex'),
    postBeef: async (_beef, txids) => [
      { name: 'acceptor', status: 'success', txidResults: txids.map(txid => ({ txid, status: 'success' })) }
    ]
  }
  return new Proxy(known, {
    get(target, name) {
      if (name in target) return target[name]
      if (typeof name !== 'string' || name === 'then') return undefined
      return async () => { throw new Error(`offline: ${name}`) }
    }
  })
}

/** A knex connection as the toolbox's Setup makes it, with our choice of pragmas on every connection of the pool. */
export function openKnex(file, pragmas = 'default') {
  if (!(pragmas in PRAGMAS)) throw new Error(`pragmas must be one of ${Object.keys(PRAGMAS).join(', ')}`)
  return knex({
    client: 'better-sqlite3',
    connection: { filename: file },
    useNullAsDefault: true,
    pool: {
      min: 1,
      max: 1,
      afterCreate(connection, done) {
        for (const pragma of PRAGMAS[pragmas]) connection.pragma(pragma)
        done(null, connection)
      }
    }
  })
}

/** Creates or opens the file, brings its schema up to date and returns the storage with its settings read. */
export async function openStorage(connection, chain, { feeRate = 1, storageName = 'interop' } = {}) {
  const storage = new StorageKnex({
    chain,
    knex: connection,
    commissionSatoshis: 0,
    commissionPubKeyHex: undefined,
    feeModel: { model: 'sat/kb', value: feeRate }
  })
  await storage.migrate(storageName, STORAGE_IDENTITY_KEY)
  await storage.makeAvailable()
  return storage
}

/** The wallet of `rootKeyHex` on this storage. */
export async function openWallet(storage, rootKeyHex, headerAt) {
  const keyDeriver = new CachedKeyDeriver(PrivateKey.fromHex(rootKeyHex))
  const manager = new WalletStorageManager(keyDeriver.identityKey, storage)
  await manager.makeAvailable()
  const services = offlineServices(storage.chain, headerAt)
  const wallet = new Wallet({ chain: storage.chain, keyDeriver, storage: manager, services })
  return { wallet, manager, identityKey: keyDeriver.identityKey }
}
