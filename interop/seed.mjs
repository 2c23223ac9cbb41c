// Filling the toolbox's tables with proven coins by SQL: its own internalizeAction would need minutes for large pools.
import { PrivateKey } from '@bsv/sdk'
import { PaymentMaker } from './payments.mjs'

const CHUNK = 500
const BASE_HEIGHT = 100_000

/**
 * Adds `count` spendable coins of `satoshis` each to the default basket of `rootKeyHex`, one mined transaction per coin,
 * in the rows that a proven, internalized payment leaves behind.
 */
export async function seedCoins(knex, storage, rootKeyHex, count, satoshis) {
  const identityKey = PrivateKey.fromHex(rootKeyHex).toPublicKey().toString()
  const { user: { userId } } = await storage.findOrInsertUser(identityKey)
  const { basketId } = await knex('output_baskets').where({ userId, name: 'default' }).first()
  const now = new Date().toISOString()
  const dates = { created_at: now, updated_at: now }
  const last = async (table, column) => (await knex(table).max(`${column} as id`).first()).id ?? 0
  const firstProof = await last('proven_txs', 'provenTxId') + 1
  const firstTransaction = await last('transactions', 'transactionId') + 1
  const maker = new PaymentMaker(rootKeyHex, identityKey, `seed ${firstProof}`, BASE_HEIGHT + firstProof)

  const rows = { proven_txs: [], transactions: [], outputs: [] }
  for (let number = 0; number < count; number++) {
    const { rawTx, txid, outputs: [coin], height, index, merklePath, merkleRoot, blockHash } = maker.make([satoshis])
    const provenTxId = firstProof + number
    const transactionId = firstTransaction + number
    rows.proven_txs.push({ ...dates, provenTxId, txid, height, index, merklePath, rawTx, blockHash, merkleRoot })
    rows.transactions.push({
      ...dates, transactionId, userId, provenTxId, status: 'completed', reference: Buffer.from(`seed${provenTxId}`).toString('base64'),
      isOutgoing: 0, satoshis, version: 1, lockTime: 0, description: 'seeded coin', txid
    })
    rows.outputs.push({
      ...dates, userId, transactionId, basketId, spendable: 1, change: 1, vout: 0, satoshis, providedBy: 'storage',
      purpose: 'change', type: 'P2PKH', outputDescription: '', txid, derivationPrefix: coin.derivationPrefix,
      derivationSuffix: coin.derivationSuffix, lockingScript: coin.lockingScript
    })
  }
  await knex.transaction(async transaction => {
    for (const [table, all] of Object.entries(rows)) await transaction.batchInsert(table, all, CHUNK)
  })
}
