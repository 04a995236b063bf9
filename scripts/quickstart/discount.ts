// What a customer's check might look like: typed, tiny, JSON in and JSON out.
interface Order {
  items: { price: number; quantity: number }[]
}

export default function main({ order }: { order: Order }): { total: number; discount: number } {
  const total = order.items.reduce((sum, { price, quantity }) => sum + price * quantity, 0)
  return { total, discount: total > 100 ? total * 0.1 : 0 }
}
