// The metrics of several processes as those of one: counters and histograms are summed, gauges as
// each of them says. What an ended process had counted stays counted, so that no counter falls.
import { AggregatorRegistry } from 'prom-client';

export interface Sample {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly Value[];
}

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** What one process counts, from one time that it was asked. */
export type Samples = readonly Sample[];

const AGGREGATORS = new Set(['sum', 'first', 'omit', 'average', 'min', 'max']);
const COUNTED = new Set(['counter', 'histogram']);

export class MetricsSum {
  readonly #last = new Map<number, Samples>();
  #ended: Samples = [];

  /** A process' newest; kept until it has ended, in case that it is too busy to answer again. */
  heard(process: number, samples: Samples): void {
    this.#last.set(process, samples);
  }

  /** Its gauges are gone; what it had counted when it was last asked stays. */
  ended(process: number): void {
    this.#ended = added(this.#ended, counted(this.#last.get(process) ?? []));
    this.#last.delete(process);
  }

  /** `now`: the processes that have answered this time; of the others only what they counted. */
  async text(now: ReadonlySet<number>): Promise<{ contentType: string; text: string }> {
    const all = [...this.#last].map(([process, samples]) =>
      now.has(process) ? samples : counted(samples));
    const registry = AggregatorRegistry.aggregate([...all, this.#ended] as object[]);
    return { contentType: registry.contentType, text: await registry.metrics() };
  }
}

function counted(samples: Samples): Samples {
  return samples.filter(({ type }) => COUNTED.has(type));
}

/** Both together: as many samples as there are kinds, however many processes have ended. */
function added(one: Samples, other: Samples): Samples {
  const all = new Map(one.map((sample) => [sample.name, sample]));
  for (const sample of other) {
    const values = new Map<string, Value>();
    for (const each of [...(all.get(sample.name)?.values ?? []), ...sample.values]) {
      const labels = Object.entries(each.labels).map((label) => JSON.stringify(label)).sort();
      const id = [each.metricName ?? '', ...labels].join(' ');
      values.set(id, { ...each, value: each.value + (values.get(id)?.value ?? 0) });
    }
    all.set(sample.name, { ...sample, values: [...values.values()] });
  }
  return [...all.values()];
}

/** Samples as JSON carries them, where numbers that are none come as null. */
export function readSamples(value: unknown): Samples | undefined {
  if (!Array.isArray(value)) return undefined;
  const samples = value.map(readSample);
  return samples.every((sample) => sample !== undefined) ? samples : undefined;
}

function readSample(value: unknown): Sample | undefined {
  if (!isObject(value)) return undefined;
  const { name, help, type, aggregator, values } = value;
  if (typeof name !== 'string' || typeof help !== 'string' || typeof type !== 'string') {
    return undefined;
  }
  if (typeof aggregator !== 'string' || !AGGREGATORS.has(aggregator)) return undefined;
  if (!Array.isArray(values) || !values.every(isValue)) return undefined;
  const known = values.filter((one): one is Value => one.value !== null);
  return { name, help, type, aggregator, values: known };
}

function isValue(one: unknown): one is { value: number | null } {
  return isObject(one) && isObject(one['labels'])
    && (typeof one['value'] === 'number' || one['value'] === null)
    && Object.values(one['labels']).every((label) => /^(string|number)$/.test(typeof label))
    && (one['metricName'] === undefined || typeof one['metricName'] === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
