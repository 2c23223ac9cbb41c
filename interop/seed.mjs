// Filling the toolbox's tables with proven transactions by SQL: its own methods would need minutes to hours.
import { PrivateKey } from '@bsv/sdk'
import { PaymentMaker } from './payments.mjs'

const CHUNK = 500
const BASE_HEIGHT = 100_000
const COIN = 1000
const TICKET = 300
const CHANGE = 699
const TICKETS = 'tickets'

// Rows of mined transactions as the toolbox leaves them, gathered table by table and inserted in one go.
class MinedRows {
  rows = {
    proven_txs: [], transactions: [], outputs: [], proven_tx_reqs: [], tx_labels_map: [], output_tags_map: []
  }

  static async open(knex, storage, rootKeyHex) {
    const opened = new MinedRows()
    const identityKey = PrivateKey.fromHex(rootKeyHex).toPublicKey().toString()
    const { user: { userId } } = await storage.findOrInsertUser(identityKey)
    const { basketId } = await knex('output_baskets').where({ userId, name: 'default' }).first()
    const now = new Date().toISOString()
    const last = async (table, column) => (await knex(table).max(`${column} as id`).first()).id ?? 0
    Object.assign(opened, { knex, storage, userId, basketId, dates: { created_at: now, updated_at: now } })
    opened.provenTxId = await last('proven_txs', 'provenTxId')
    opened.transactionId = await last('transactions', 'transactionId')
    opened.outputId = await last('outputs', 'outputId')
    const first = opened.provenTxId + 1
    opened.maker = new PaymentMaker(rootKeyHex, identityKey, `seed ${first}`, BASE_HEIGHT + first)
    return opened
  }

  /** A completed transaction that adds `satoshis` to the balance; an action of ours when it spends an output `spent`. */
  transaction(amounts, satoshis, spent, description = 'seeded coin') {
    const made = this.maker.make(amounts, spent)
    const { rawTx, txid, height, index, merklePath, merkleRoot, blockHash } = made
    const provenTxId = ++this.provenTxId
    const transactionId = ++this.transactionId
    this.add('proven_txs', { provenTxId, txid, height, index, merklePath, rawTx, blockHash, merkleRoot })
    this.add('transactions', {
      transactionId, userId: this.userId, provenTxId, status: 'completed', isOutgoing: spent ? 1 : 0, satoshis, version: 1,
      lockTime: 0, description, txid, reference: Buffer.from(`seed${provenTxId}`).toString('base64')
    })
    if (spent) {
      const notify = JSON.stringify({ transactionIds: [transactionId] })
      this.add('proven_tx_reqs', { provenTxId, status: 'completed', txid, rawTx, notify, notified: 1 })
    }
    return { ...made, transactionId }
  }

  change({ transactionId, txid, outputs }, vout, columns = {}) {
    const { satoshis, derivationPrefix, derivationSuffix, lockingScript } = outputs[vout]
    return this.#output({
      transactionId, txid, vout, satoshis, lockingScript, derivationPrefix, derivationSuffix, basketId: this.basketId,
      change: 1, providedBy: 'storage', purpose: 'change', type: 'P2PKH', outputDescription: '', ...columns
    })
  }

  custom({ transactionId, txid, outputs }, vout, columns) {
    const { satoshis, lockingScript } = outputs[vout]
    return this.#output({
      transactionId, txid, vout, satoshis, lockingScript, change: 0, providedBy: 'you', purpose: '', type: 'custom', ...columns
    })
  }

  #output(columns) {
    const outputId = ++this.outputId
    this.add('outputs', { outputId, userId: this.userId, spendable: 1, spentBy: null, customInstructions: null, ...columns })
    return outputId
  }

  add(table, columns) {
    this.rows[table].push({ ...this.dates, ...columns })
  }

  async write() {
    await this.knex.transaction(async transaction => {
      for (const [table, rows] of Object.entries(this.rows)) await transaction.batchInsert(table, rows, CHUNK)
    })
  }
}

/** Adds `count` spendable coins of `satoshis` each to the default basket of `rootKeyHex`, one mined transaction per coin. */
export async function seedCoins(knex, storage, rootKeyHex, count, satoshis) {
  const rows = await MinedRows.open(knex, storage, rootKeyHex)
  for (let number = 0; number < count; number++) rows.change(rows.transaction([satoshis], satoshis), 0)
  await rows.write()
}

/**
 * Adds `count` mined actions, each of which spent a coin, made a tagged output in basket "tickets", and change. All carry
 * the label "history" and one more. The coins came in payments of 500.
 */
export async function seedHistory(knex, storage, rootKeyHex, count) {
  const rows = await MinedRows.open(knex, storage, rootKeyHex)
  const { userId } = rows
  const { basketId } = await storage.findOrInsertOutputBasket(userId, TICKETS)
  const label = async name => (await storage.findOrInsertTxLabel(userId, name)).txLabelId
  const tag = async name => (await storage.findOrInsertOutputTag(userId, name)).outputTagId
  const [history, ticket] = [await label('history'), await tag('ticket')]
  let payment
  for (let number = 0; number < count; number++) {
    const vout = number % CHUNK
    if (vout === 0) {
      const coins = Math.min(CHUNK, count - number)
      payment = rows.transaction(new Array(coins).fill(COIN), COIN * coins, undefined, 'many coins')
      for (let each = 0; each < coins; each++) {
        rows.change(payment, each, { spendable: 0, spentBy: payment.transactionId + 1 + each })
      }
    }
    const action = rows.transaction([TICKET, CHANGE], CHANGE - COIN, { txid: payment.txid, vout }, `ticket ${number}`)
    const { transactionId } = action
    const outputId = rows.custom(action, 0, { basketId, outputDescription: 'a ticket', customInstructions: `seat ${number}` })
    rows.change(action, 1)
    for (const txLabelId of [history, await label(`day ${number % 30}`)]) rows.add('tx_labels_map', { txLabelId, transactionId })
    for (const outputTagId of [ticket, await tag(`row ${number % 20}`)]) rows.add('output_tags_map', { outputTagId, outputId })
  }
  await rows.write()
}
