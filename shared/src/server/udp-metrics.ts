/** What a UDP listener counts, as metric families. */
import { counter, gauge, type MetricFamily } from '../daemon/metrics.ts';
import { dropReasonNames } from './datagram-reasons.ts';
import type { UdpCounts } from './udp.ts';

export function udpFamilies(counts: UdpCounts): readonly MetricFamily[] {
  const { received, echoed, bytesIn, bytesOut, dropped, sources, kernelDropped } = counts;
  return [
    counter('small_servers_udp_received_datagrams_total', 'Datagrams read', received),
    counter('small_servers_udp_answered_datagrams_total', 'Datagrams that got an answer', echoed),
    {
      name: 'small_servers_udp_dropped_datagrams_total',
      help: 'Datagrams that got no answer, by reason',
      type: 'counter',
      samples: dropReasonNames.map((reason) => ({ labels: { reason }, value: dropped[reason] })),
    },
    counter('small_servers_udp_received_bytes_total', 'Bytes of the datagrams read', bytesIn),
    counter('small_servers_udp_sent_bytes_total', 'Bytes of the answers', bytesOut),
    gauge('small_servers_udp_sources', 'Sources remembered now', sources),
    ...(kernelDropped === undefined
      ? []
      : [
          counter(
            'small_servers_udp_receive_buffer_dropped_datagrams_total',
            'Datagrams that the system threw away because the receive buffer was full',
            kernelDropped,
          ),
        ]),
  ];
}
