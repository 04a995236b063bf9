const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Where the text that begins after `from` ends: behind its closing quote. */
const endOfText = (json: Buffer, from: number): number => {
  for (let end = json.indexOf(QUOTE, from); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let first = end
    while (first > from && json[first - 1] === BACKSLASH) first -= 1
    if ((end - first) % 2 === 0) return end + 1
  }
  return json.length
}

/**
 * Bytes of JSON outside of its texts, and one for each text, counted until they are more than `most`. To parse a megabyte of text takes a millisecond;
 * a megabyte of brackets takes a hundred times that, in which a server does nothing else.
 */
export const countBareBytes = (json: Buffer, most: number): number => {
  let count = 0
  for (let at = 0; at < json.length && count <= most;) {
    const quote = json.indexOf(QUOTE, at)
    count += quote === -1 ? json.length - at : quote - at + 1
    at = quote === -1 ? json.length : endOfText(json, quote + 1)
  }
  return count
}
