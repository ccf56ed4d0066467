/** From a local time to the moment it stands for, in a zone of the IANA database or with a fixed offset. Pure. */
import type { Kind } from '@small-servers/shared/config/kinds';

const DAY_MS = 86_400_000;

/** The zone's own spelling; `undefined` when there is no such zone. */
export function zoneName(text: string): string | undefined {
  try {
    return new Temporal.ZonedDateTime(0n, text).timeZoneId;
  } catch {
    return undefined;
  }
}

export const zoneKind: Kind<string> = {
  allowed: 'a time zone such as UTC, Europe/Berlin or +02:00',
  placeholder: 'ZONE',
  unitSuffix: '',
  list: false,
  parse: zoneName,
  format: String,
  jsonSchema: { type: 'string', maxLength: 64 },
};

/** A stretch of time in which a zone has one offset. */
interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly offsetMs: number;
}

/**
 * One zone. Asking the database costs a microsecond and more, so the offset between two changes is kept; only within a
 * day of a change is it asked each time.
 */
export class Zone {
  readonly name: string;
  #stretch: Stretch = { fromMs: 0, untilMs: 0, offsetMs: 0 };

  /** @param name as `zoneName` gives it */
  constructor(name: string) {
    this.name = name;
  }

  /**
   * Milliseconds since 1970 of a local time whose fields, taken as UTC, are `fieldsMs`. A time that occurs twice (the
   * hour when clocks go back) is the one nearer to `nearMs`; one that no clock shows (the hour that is left out) is read
   * with the offset before the change.
   */
  toUnixMs(fieldsMs: number, nearMs: number): number {
    const { fromMs, untilMs, offsetMs } = this.#stretch;
    const likelyMs = fieldsMs - offsetMs;
    if (likelyMs > fromMs + DAY_MS && likelyMs < untilMs - DAY_MS) return likelyMs;
    return this.#ask(fieldsMs, nearMs);
  }

  #ask(fieldsMs: number, nearMs: number): number {
    // The fraction goes its own way: Temporal takes whole milliseconds.
    const wholeMs = Math.floor(fieldsMs);
    const fields = Temporal.Instant.fromEpochMilliseconds(wholeMs).toZonedDateTimeISO('UTC').toPlainDateTime();
    const earlier = fields.toZonedDateTime(this.name, { disambiguation: 'compatible' });
    const later = fields.toZonedDateTime(this.name, { disambiguation: 'later' });
    const isTwice = later.toPlainDateTime().equals(fields) && later.epochMilliseconds !== earlier.epochMilliseconds;
    const laterIsNearer = Math.abs(later.epochMilliseconds - nearMs) < Math.abs(earlier.epochMilliseconds - nearMs);
    const chosen = isTwice && laterIsNearer ? later : earlier;
    this.#stretch = {
      fromMs: chosen.getTimeZoneTransition('previous')?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
      untilMs: chosen.getTimeZoneTransition('next')?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
      offsetMs: chosen.offsetNanoseconds / 1e6,
    };
    return chosen.epochMilliseconds + (fieldsMs - wholeMs);
  }
}
