// Proven BRC-29 payments made without a chain: keys, raw transactions, Merkle paths (BRC-74) and block headers.
// Everything follows from the seed text and a counter, so a run can be repeated to the byte.
import { createECDH, createHash } from 'node:crypto'
import { Beef, Hash, KeyDeriver, MerklePath, PrivateKey, Transaction } from '@bsv/sdk'

const BRC29_PROTOCOL = [2, '3241645161d8']

// A block of 1024 transactions: what a proof of an ordinary block costs to store, send and check.
const PROOF_LEVELS = 10

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const hash256 = bytes => sha256(sha256(bytes))
const displayOrder = digest => Buffer.from(digest).reverse().toString('hex')

function uint32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function varint(value) {
  if (value < 0xfd) return Buffer.of(value)
  const bytes = Buffer.alloc(value <= 0xffff ? 3 : 5)
  bytes[0] = value <= 0xffff ? 0xfd : 0xfe
  if (value <= 0xffff) bytes.writeUInt16LE(value, 1)
  else bytes.writeUInt32LE(value, 1)
  return bytes
}

// A KeyDeriver that computes each shared secret once; the peer under measurement gets an ordinary one.
function rememberingDeriver(rootKeyHex) {
  const secrets = new Map()
  const nameOf = (priv, pub) => `${priv.toHex()} ${pub.toString()}`
  return new KeyDeriver(
    PrivateKey.fromHex(rootKeyHex),
    (priv, pub, secret) => secrets.set(nameOf(priv, pub), secret),
    (priv, pub) => secrets.get(nameOf(priv, pub))
  )
}

export class PaymentMaker {
  #recipient
  #seed
  #firstHeight
  #senderIdentityKey
  #made = 0
  #headers = new Map()

  /**
   * @param {string} recipientKeyHex root key that can spend the outputs
   * @param {string} senderIdentityKey public key of the payer; the recipient's own for change
   * @param {string} seed makes the derivations and outpoints of this maker differ from another's
   * @param {number} firstHeight block of the first payment; a BEEF with two blocks of one height is refused, so makers
   *   whose payments meet in one wallet need ranges of their own
   */
  constructor(recipientKeyHex, senderIdentityKey, seed, firstHeight) {
    this.#recipient = rememberingDeriver(recipientKeyHex)
    this.#senderIdentityKey = senderIdentityKey
    this.#seed = seed
    this.#firstHeight = firstHeight
  }

  /** The 80 bytes of the block at this height, undefined when no payment of this maker is in it. */
  headerAt(height) {
    return this.#headers.get(height)
  }

  /**
   * One transaction in a block of its own with one output per entry of `amounts` (satoshis). It spends the output
   * `{ txid, vout }` if one is given, otherwise one that nobody has heard of.
   */
  make(amounts, spent) {
    const number = this.#made++
    const outputs = amounts.map((satoshis, vout) => this.#output(number, vout, satoshis))
    const source = spent ? Buffer.from(spent.txid, 'hex').reverse() : sha256(`${this.#seed} outpoint ${number}`)
    const rawTx = Buffer.concat([
      uint32(1),
      Buffer.of(1), source, uint32(spent?.vout ?? 0), Buffer.of(107), Buffer.alloc(107), uint32(0xffffffff),
      varint(outputs.length), ...outputs.flatMap(output => [uint64(output.satoshis), Buffer.of(25), output.lockingScript]),
      uint32(0)
    ])
    return { rawTx, txid: displayOrder(hash256(rawTx)), outputs, ...this.#proof(rawTx, number) }
  }

  #output(number, vout, satoshis) {
    const derivation = kind => sha256(`${this.#seed} ${kind} ${number}.${vout}`).subarray(0, 16).toString('base64')
    const derivationPrefix = derivation('prefix')
    const derivationSuffix = derivation('suffix')
    const key = this.#recipient.derivePrivateKey(BRC29_PROTOCOL, `${derivationPrefix} ${derivationSuffix}`, this.#senderIdentityKey)
    const curve = createECDH('secp256k1')
    curve.setPrivateKey(Buffer.from(key.toHex(), 'hex'))
    const keyHash = Buffer.from(Hash.hash160([...curve.getPublicKey(null, 'compressed')]))
    const lockingScript = Buffer.concat([Buffer.from('76a914', 'hex'), keyHash, Buffer.from('88ac', 'hex')])
    return { vout, satoshis, derivationPrefix, derivationSuffix, lockingScript }
  }

  #proof(rawTx, number) {
    const height = this.#firstHeight + number
    // Never 0: that is the coinbase, for which other rules hold.
    const index = 1 + number % ((1 << PROOF_LEVELS) - 1)
    const parts = [varint(height), Buffer.of(PROOF_LEVELS)]
    let node = hash256(rawTx)
    for (let level = 0; level < PROOF_LEVELS; level++) {
      const offset = index >> level
      const right = (offset & 1) === 1
      const sibling = sha256(`${this.#seed} sibling ${number}.${level}`)
      const siblingLeaf = Buffer.concat([varint(offset ^ 1), Buffer.of(0), sibling])
      const ownLeaf = Buffer.concat([varint(offset), Buffer.of(2), node])
      if (level > 0) parts.push(Buffer.of(1), siblingLeaf)
      else parts.push(Buffer.of(2), ...(right ? [siblingLeaf, ownLeaf] : [ownLeaf, siblingLeaf]))
      node = hash256(right ? Buffer.concat([sibling, node]) : Buffer.concat([node, sibling]))
    }
    const header = Buffer.concat([uint32(1), Buffer.alloc(32), node, uint32(1_500_000_000), uint32(0x207fffff), uint32(number)])
    this.#headers.set(height, header)
    return {
      height,
      index,
      merklePath: Buffer.concat(parts),
      merkleRoot: displayOrder(node),
      blockHash: displayOrder(hash256(header))
    }
  }
}

/** The payment as Atomic BEEF (BRC-95), an array of numbers as the TypeScript interface takes it. */
export function atomicBeefOf(payment) {
  // Not beef.mergeRawTx(rawTx, bumpIndex): in @bsv/sdk 2.1.0 it leaves the txid in the wrong byte order.
  const transaction = Transaction.fromBinary([...payment.rawTx])
  transaction.merklePath = MerklePath.fromBinary([...payment.merklePath])
  const beef = new Beef()
  beef.mergeTransaction(transaction)
  return beef.toBinaryAtomic(payment.txid)
}
