import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { controlSpace, layout } from '../../src/native/datagram-layout.ts';
import { linux } from '../../src/native/linux.ts';

/** The C expression for each size and offset of the table. */
const expressions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  mmsghdr: {
    size: 'sizeof(struct mmsghdr)',
    name: 'offsetof(struct mmsghdr, msg_hdr.msg_name)',
    nameLength: 'offsetof(struct mmsghdr, msg_hdr.msg_namelen)',
    iov: 'offsetof(struct mmsghdr, msg_hdr.msg_iov)',
    iovLength: 'offsetof(struct mmsghdr, msg_hdr.msg_iovlen)',
    control: 'offsetof(struct mmsghdr, msg_hdr.msg_control)',
    controlLength: 'offsetof(struct mmsghdr, msg_hdr.msg_controllen)',
    flags: 'offsetof(struct mmsghdr, msg_hdr.msg_flags)',
    received: 'offsetof(struct mmsghdr, msg_len)',
  },
  iovec: {
    size: 'sizeof(struct iovec)',
    base: 'offsetof(struct iovec, iov_base)',
    length: 'offsetof(struct iovec, iov_len)',
  },
  sockaddrIn: {
    size: 'sizeof(struct sockaddr_in)',
    family: 'offsetof(struct sockaddr_in, sin_family)',
    port: 'offsetof(struct sockaddr_in, sin_port)',
    address: 'offsetof(struct sockaddr_in, sin_addr)',
  },
  sockaddrIn6: {
    size: 'sizeof(struct sockaddr_in6)',
    family: 'offsetof(struct sockaddr_in6, sin6_family)',
    port: 'offsetof(struct sockaddr_in6, sin6_port)',
    address: 'offsetof(struct sockaddr_in6, sin6_addr)',
    scopeId: 'offsetof(struct sockaddr_in6, sin6_scope_id)',
  },
  cmsghdr: {
    size: 'CMSG_LEN(0)',
    length: 'offsetof(struct cmsghdr, cmsg_len)',
    level: 'offsetof(struct cmsghdr, cmsg_level)',
    type: 'offsetof(struct cmsghdr, cmsg_type)',
  },
  inPktinfo: {
    size: 'sizeof(struct in_pktinfo)',
    interfaceIndex: 'offsetof(struct in_pktinfo, ipi_ifindex)',
    source: 'offsetof(struct in_pktinfo, ipi_spec_dst)',
    destination: 'offsetof(struct in_pktinfo, ipi_addr)',
  },
  in6Pktinfo: {
    size: 'sizeof(struct in6_pktinfo)',
    address: 'offsetof(struct in6_pktinfo, ipi6_addr)',
    interfaceIndex: 'offsetof(struct in6_pktinfo, ipi6_ifindex)',
  },
};

/** Constants that the datagram code uses, by their own names. */
const constants = [
  'AF_INET',
  'AF_INET6',
  'SOCK_DGRAM',
  'SOCK_CLOEXEC',
  'SOL_SOCKET',
  'SO_REUSEPORT',
  'SO_RCVBUF',
  'SO_SNDBUF',
  'IPPROTO_IP',
  'IP_PKTINFO',
  'IPPROTO_IPV6',
  'IPV6_V6ONLY',
  'IPV6_RECVPKTINFO',
  'MSG_DONTWAIT',
  'O_NONBLOCK',
] as const;

function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return process.platform === 'linux';
  } catch {
    return false;
  }
}

describe.runIf(hasCompiler())('what the C compiler says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'small-servers-layout-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The values of C expressions, by compiling and running a program that prints them. */
  const evaluate = (names: readonly string[]): number[] => {
    const source = join(folder, 'values.c');
    const program = join(folder, 'values');
    const prints = names.map((name) => `printf("%lld\\n", (long long)(${name}));`).join('\n');
    const headers = ['stddef.h', 'stdio.h', 'fcntl.h', 'sys/socket.h', 'sys/uio.h', 'netinet/in.h'];
    const includes = headers.map((header) => `#include <${header}>`).join('\n');
    writeFileSync(source, `#define _GNU_SOURCE\n${includes}\nint main(void) {\n${prints}\nreturn 0;\n}\n`);
    execFileSync('cc', ['-o', program, source]);
    return execFileSync(program, { encoding: 'utf8' }).trim().split('\n').map(Number);
  };

  test('every size and offset of the table is the compiler’s', () => {
    const rows = Object.entries(layout).flatMap(([struct, fields]) =>
      Object.entries(fields).map(([field, value]) => ({ name: `${struct}.${field}`, value, struct, field })),
    );
    const values = evaluate(rows.map(({ struct, field }) => expressions[struct]?.[field] ?? '-1'));
    expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual(
      Object.fromEntries(rows.map(({ name }, index) => [name, values[index]])),
    );
  });

  test('every constant is the header’s', () => {
    const values = evaluate(constants);
    expect(constants.map((name) => [name, linux[name]])).toEqual(constants.map((name, index) => [name, values[index]]));
  });

  test('room for a control message is CMSG_SPACE', () => {
    const sizes = [1, 8, 12, 20, 24];
    expect(sizes.map(controlSpace)).toEqual(evaluate(sizes.map((size) => `CMSG_SPACE(${size})`)));
  });
});
