// Deposits on L1, places, replaces, cancels and withdraws, with nothing but ethers 6: `node wallet.mjs devnet.json`.

import { readFileSync } from "node:fs";
import { Contract, JsonRpcProvider, Wallet } from "ethers";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const abi = (name) =>
  read(new URL(`../../bridge/contracts/artifacts/${name}.json`, import.meta.url)).abi;
const EXCHANGE = "0x000000000000000000000000000000004e4f5641";
const USD = 10n ** 6n;
const BTC = 10n ** 9n;

const net = read(process.argv[2]);
const contracts = read(net.deployment);
const key = net.keys.find((row) => row.role === (process.argv[3] ?? "user 2")).key;
// ethers keeps answers for 250 ms by default, the next nonce too: longer than a block of L2.
const options = { pollingInterval: 100, cacheTimeout: -1 };
const l1 = new Wallet(key, new JsonRpcProvider(net.l1_url, undefined, options));
const l2 = new Wallet(key, new JsonRpcProvider(net.url, undefined, options));
const token = new Contract(contracts.token, abi("TestUSD"), l1);
const vault = new Contract(contracts.vault, abi("Vault"), l1);
const exchange = new Contract(EXCHANGE, abi("IExchange"), l2);
const events = async (sent) =>
  (await (await sent).wait()).logs.map((log) => exchange.interface.parseLog(log)).filter(Boolean);

await (await token.approve(vault.target, 10_000n * USD)).wait();
await (await vault.deposit(token.target, 10_000n * USD, l2.address, 0)).wait();
while ((await exchange["subaccount"](l2.address, 0)).balanceE9 === 0n)
  await new Promise((done) => setTimeout(done, 200));
const top = await exchange.bookTop(0);
const tick = (await exchange.market(0)).tickE9;
const price = top.bidPriceE9 - (top.bidPriceE9 / 100n / tick) * tick;
const [placed] = await events(exchange.placeOrder(0, 0, true, price, BTC / 100n, 0, 1, 7));
const [replaced] = await events(exchange.replaceOrder(0, 0, 7, price - tick, BTC / 50n));
const order = await exchange.openOrder(l2.address, 0, 7);
const [cancelled] = await events(exchange.cancelOrder(0, 0, 7));
const gone = await exchange.openOrder(l2.address, 0, 7);
const [again] = await events(exchange.cancelOrder(0, 0, 7)).catch((error) => {
  if (error.code !== "CALL_EXCEPTION") throw error; // the receipt's status is 0: nothing was applied
  return error.receipt.logs.map((log) => exchange.interface.parseLog(log));
});
const [withdrawn] = await events(exchange.withdraw(0, token.target, 10_000n * USD, l2.address));
console.log(
  JSON.stringify({
    placed: placed.name,
    replaced: replaced.name,
    same_id: placed.args.orderId === replaced.args.orderId && order.orderId === placed.args.orderId,
    open_e9: String(order.openE9),
    moved_e9: String(placed.args.priceE9 - order.priceE9),
    cancelled: cancelled.name,
    gone: gone.orderId === 0n,
    again: again.name,
    reason: String(again.args.reason),
    withdrawn: String(withdrawn.args.amount),
    left_e9: String((await exchange["subaccount"](l2.address, 0)).balanceE9),
  }),
);
process.exit(0);
