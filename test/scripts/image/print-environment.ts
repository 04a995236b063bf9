/** Shows what a command is given, and ends in a way that is told apart. */
console.log(JSON.stringify(process.env))
process.exitCode = 7
