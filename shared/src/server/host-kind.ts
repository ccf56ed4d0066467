/** The kind of `--host`. */
import { type Kind, text } from '../config/kinds.ts';

/** Host names and addresses; the system judges the rest when it binds. */
export function host(): Kind<string> {
  return text({
    allowed: 'an address or a host name, such as 127.0.0.1, :: or localhost',
    placeholder: 'ADDRESS',
    maxLength: 253,
    accepts: (value) => /^[\p{L}\p{N}._:%-]+$/u.test(value),
  });
}
