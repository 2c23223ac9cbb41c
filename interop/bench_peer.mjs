// The npm toolbox as a benchmark partner: JSON commands on standard input, one JSON answer per line on standard output.
// README.md lists the commands. Whatever the toolbox prints goes to standard error.
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { PrivateKey } from '@bsv/sdk'
import { PaymentMaker, atomicBeefOf } from './payments.mjs'
import { seedCoins, seedHistory } from './seed.mjs'
import { openKnex, openStorage, openWallet } from './toolbox.mjs'

console.log = console.info = console.error

const DEFAULT_ROOT_KEY = '01'.repeat(32)
const PAYER_IDENTITY_KEY = PrivateKey.fromHex('02'.repeat(32)).toPublicKey().toString()
const PAYEE_SCRIPT = `76a914${'00'.repeat(20)}88ac`

// Above the blocks of any pool that is seeded.
const PAYMENTS_HEIGHT = 500_000

let session

class Session {
  statements = { total: 0, transactions: 0 }

  static async open({
    file, coins = 0, satoshis = 1000, history = 0, changeOutputs, pragmas = 'durable', chain = 'test',
    rootKeyHex = DEFAULT_ROOT_KEY, feeRate = 1, keep = false
  }) {
    const opened = new Session()
    if (!keep) for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true })
    opened.knex = openKnex(file, pragmas)
    const storage = await openStorage(opened.knex, chain, { feeRate })
    const [{ proofs }] = await opened.knex.raw('SELECT count(*) AS proofs FROM proven_txs')
    opened.payments = new PaymentMaker(rootKeyHex, PAYER_IDENTITY_KEY, `payment ${proofs}`, PAYMENTS_HEIGHT + proofs)
    Object.assign(opened, await openWallet(storage, rootKeyHex, height => opened.payments.headerAt(height)))
    if (coins > 0) await seedCoins(opened.knex, storage, rootKeyHex, coins, satoshis)
    if (history > 0) await seedHistory(opened.knex, storage, rootKeyHex, history)
    if (changeOutputs !== undefined) {
      await opened.knex('output_baskets').where({ name: 'default' }).update({ numberOfDesiredUTXOs: changeOutputs })
    }
    opened.knex.on('query', ({ sql }) => {
      if (/^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)/i.test(sql)) opened.statements.transactions += 1
      else opened.statements.total += 1
    })
    return opened
  }

  async facts() {
    const first = async sql => Object.values((await this.knex.raw(sql))[0])[0]
    return {
      identityKey: this.identityKey,
      journalMode: await first('PRAGMA journal_mode'),
      synchronous: await first('PRAGMA synchronous'),
      sqlite: await first('SELECT sqlite_version()'),
      node: process.version,
      coins: await first('SELECT count(*) FROM outputs WHERE spendable = 1 AND change = 1')
    }
  }

  // `callers` loops that share one queue of `count` operations; only the operations are timed. The first error stops
  // every loop and is thrown when all of them have ended.
  async measure(count, callers, operation) {
    const latenciesMs = new Array(count)
    const before = { ...this.statements }
    let next = 0
    let failure
    const cpuBefore = process.cpuUsage()
    const started = performance.now()
    await Promise.all(Array.from({ length: callers }, async () => {
      while (next < count && failure === undefined) {
        const number = next++
        const begun = performance.now()
        await operation(number).catch(error => { failure ??= error })
        latenciesMs[number] = performance.now() - begun
      }
    }))
    if (failure !== undefined) throw failure
    const elapsedMs = performance.now() - started
    const cpu = process.cpuUsage(cpuBefore)
    return {
      count,
      callers,
      elapsedMs,
      cpuMs: (cpu.user + cpu.system) / 1000,
      perSecond: count / elapsedMs * 1000,
      latenciesMs,
      statementsPerOperation: (this.statements.total - before.total) / count,
      transactionStatementsPerOperation: (this.statements.transactions - before.transactions) / count
    }
  }

  async createAction({ count = 1, callers = 1, satoshis = 100, delayed = true, options = {} }) {
    return await this.measure(count, callers, async () => {
      await this.wallet.createAction({
        description: 'benchmark payment',
        outputs: [{ satoshis, lockingScript: PAYEE_SCRIPT, outputDescription: 'benchmark output' }],
        options: { acceptDelayedBroadcast: delayed, ...options }
      })
    })
  }

  async internalizeAction({ count = 1, callers = 1, payments = 1, satoshis = 1000 }) {
    const requests = Array.from({ length: count }, () => {
      const payment = this.payments.make(new Array(payments).fill(satoshis))
      return {
        tx: atomicBeefOf(payment),
        description: 'benchmark payment',
        outputs: payment.outputs.map(({ vout, derivationPrefix, derivationSuffix }) => ({
          outputIndex: vout,
          protocol: 'wallet payment',
          paymentRemittance: { derivationPrefix, derivationSuffix, senderIdentityKey: PAYER_IDENTITY_KEY }
        }))
      }
    })
    return await this.measure(count, callers, async number => await this.wallet.internalizeAction(requests[number]))
  }

  // Page after page of `args.limit` rows, from the first again when all `rows` have been listed.
  async list(method, { count = 1, callers = 1, rows, args }) {
    let result
    const measured = await this.measure(count, callers, async number => {
      result = await this.wallet[method]({ ...args, offset: number * args.limit % rows })
    })
    return { ...measured, total: result.totalOutputs ?? result.totalActions, listed: (result.outputs ?? result.actions).length }
  }

  async balance({ count = 1, callers = 1 }) {
    let satoshis
    const measured = await this.measure(count, callers, async () => { satoshis = await this.wallet.balance() })
    return { ...measured, satoshis }
  }

  async close() {
    await this.wallet.destroy()
  }
}

const commands = {
  async setup(args) {
    await session?.close()
    session = undefined
    session = await Session.open(args)
    return await session.facts()
  },
  createAction: async args => await session.createAction(args),
  internalizeAction: async args => await session.internalizeAction(args),
  listOutputs: async args => await session.list('listOutputs', args),
  listActions: async args => await session.list('listActions', args),
  balance: async args => await session.balance(args),
  async close() {
    await session?.close()
    session = undefined
    return {}
  }
}

async function answer(line) {
  let id
  try {
    const { id: given, command, ...args } = JSON.parse(line)
    id = given
    if (!Object.hasOwn(commands, command)) throw new Error(`unknown command ${command}`)
    if (session === undefined && command !== 'setup' && command !== 'close') throw new Error('setup comes first')
    return { id, ok: true, result: await commands[command](args) }
  } catch (error) {
    return { id, ok: false, error: { name: error.name, message: error.message } }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== '') process.stdout.write(`${JSON.stringify(await answer(line))}\n`)
}
await session?.close()
