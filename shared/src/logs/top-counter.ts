/** The most frequent of any number of names, in bounded memory: peers can be made up by the million. */

export interface Tally {
  readonly name: string;
  connections: number;
  bytes: number;
}

/** Names kept at most; beyond, the lesser half is forgotten. */
const MAX_NAMES = 20_000;

export class TopCounter {
  #tallies = new Map<string, Tally>();
  #forgot = false;

  /** True when names were forgotten: those that are left may have been counted too low. */
  get approximate(): boolean {
    return this.#forgot;
  }

  /** Names that are kept. */
  get size(): number {
    return this.#tallies.size;
  }

  add(name: string, connections: number, bytes: number): void {
    const tally = this.#tallies.get(name);
    if (tally !== undefined) {
      tally.connections += connections;
      tally.bytes += bytes;
      return;
    }
    if (this.#tallies.size >= MAX_NAMES) {
      this.#forgot = true;
      this.#tallies = new Map(this.top(MAX_NAMES / 2).map((kept) => [kept.name, kept]));
    }
    this.#tallies.set(name, { name, connections, bytes });
  }

  /** By connections, then by bytes. */
  top(count: number): readonly Tally[] {
    const byCount = (a: Tally, b: Tally): number => b.connections - a.connections || b.bytes - a.bytes;
    return [...this.#tallies.values()].toSorted(byCount).slice(0, count);
  }
}
