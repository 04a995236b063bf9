/** Colours and other attributes of text; they cannot move the cursor or talk to the terminal. */
const attribute = String.raw`\u001b\[[0-9;]*m`
const allowedInOutput = new RegExp(String.raw`(${attribute}|[\n\r\t])|\p{Cc}`, 'gu')

const escaped = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`

/** One line of text in which nothing is hidden: for names, ids and messages. */
export const visible = (text: string): string =>
  text
    .replace(/\p{Cc}/gu, escaped)
    .replace(/[\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

/**
 * Output of code that nobody trusts, for a terminal: escape sequences could set its title, fill the clipboard or hide
 * lines, so only attributes of text pass.
 */
export const visibleOutput = (text: string): string =>
  text.replace(allowedInOutput, (character, allowed?: string) => allowed ?? escaped(character))
