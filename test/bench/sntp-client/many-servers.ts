/** COUNT time servers on ports of their own of 127.0.0.1, printed as one JSON array; ends with its parent. */
import { FakeNtpServer, goodReply } from '../../support/fake-ntp-server.ts';

const servers = await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, () =>
    FakeNtpServer.start(({ packet, reply }) => reply(goodReply(packet))),
  ),
);
process.stdout.write(`${JSON.stringify(servers.map(({ port }) => port))}\n`);
process.stdin.resume().on('end', () => process.exit());
