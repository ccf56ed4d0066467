/**
 * `pnpm bench [NAME...]`: the timings of this project, each beside its peers in the same run.
 * Nothing here runs in the test suite: a timing is a figure to read, never a pass or a fail.
 */

/** Every bench by name. A bench prints its own table and names each peer that is missing. */
const benches: Record<string, () => Promise<{ run(): Promise<void> }>> = {};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no bench is called ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}\n`,
  );
  process.exit(78);
}
for (const name of wanted.length > 0 ? wanted : Object.keys(benches)) {
  process.stdout.write(`\n== ${name} ==\n`);
  const bench = await benches[name]?.();
  await bench?.run();
}
