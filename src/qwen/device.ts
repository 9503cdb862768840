/** Where a model runs: the processor, any GPU through WebGPU, or an NVIDIA GPU through CUDA. */

import { existsSync, readdirSync } from 'node:fs';
import { type ErrorCode, LongwatchError } from '../errors.js';

export const DEVICES = ['auto', 'cpu', 'webgpu', 'cuda'] as const;

/** `auto` is the first of `cuda`, `webgpu` and `cpu` that has the hardware and starts. */
export type DeviceChoice = (typeof DEVICES)[number];

/** What a model runs on. */
export type Device = Exclude<DeviceChoice, 'auto'>;

/** Something that was opened on a device. */
export interface OpenedOn<T> {
  readonly opened: T;
  readonly device: Device;
  /** In plain words, when it is not the device that was asked for. */
  readonly notice?: string;
}

/** Codes by which a device says that it cannot be used; a graphics card has memory of its own to run out of. */
const DEVICE_FAILURES: ReadonlySet<ErrorCode> = new Set(['model_failed', 'overloaded']);

const NAMES = { cpu: 'The processor', webgpu: 'WebGPU', cuda: 'CUDA' } as const satisfies Record<Device, string>;

/** Execution providers of the runtime, in order of preference; what a device cannot do, the processor does. */
export function providersOf(device: Device): readonly string[] {
  return device === 'cpu' ? ['cpu'] : [device, 'cpu'];
}

/**
 * Opens on the wanted device, and on the processor where that one does not start.
 * @param open opens on one device; it has to fail, with `model_failed` or `overloaded`, where the device cannot be used
 * @throws {LongwatchError} whatever `open` throws for the processor, and at once what has nothing to do with the device
 */
export async function openOnDevice<T>(
  choice: DeviceChoice,
  open: (device: Device) => Promise<T>,
  candidates: readonly Device[] = choice === 'auto' ? likelyDevices() : choice === 'cpu' ? [] : [choice],
): Promise<OpenedOn<T>> {
  const failures: string[] = [];
  for (const device of candidates) {
    try {
      return { opened: await open(device), device };
    } catch (error) {
      if (!(error instanceof LongwatchError) || !DEVICE_FAILURES.has(error.code)) throw error;
      failures.push(`${NAMES[device]} cannot be used here: ${reason(error)}`);
    }
  }
  const opened = await open('cpu');
  return failures.length === 0
    ? { opened, device: 'cpu' }
    : { opened, device: 'cpu', notice: `${failures.join('; ')}. The model runs on the processor.` };
}

/**
 * Devices whose hardware is in sight, best first. On Linux a graphics card has a node in /dev: without this look the driver loader would
 * write warnings to stderr on every machine without one, and a driver that draws on the processor would be taken for a graphics card.
 */
export function likelyDevices(platform: NodeJS.Platform = process.platform, root = '/dev'): Device[] {
  if (platform !== 'linux') return ['webgpu'];
  const devices: Device[] = [];
  if (existsSync(`${root}/nvidia0`)) devices.push('cuda');
  if (devices.length > 0 || hasRenderNode(`${root}/dri`)) devices.push('webgpu');
  return devices;
}

function hasRenderNode(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name.startsWith('renderD'));
}

/** The last sentence of what the runtime says; before it stand its source files. */
function reason(error: LongwatchError): string {
  const text = error.message.replace(/^The model runtime refused: /, '').trim();
  const sentence = text.split(/ was false\. /).at(-1) ?? text;
  return sentence.split('\n', 1)[0]?.replace(/\.$/, '') ?? sentence;
}
