import { existsSync } from 'node:fs';
import koffi, { type LibraryHandle } from 'koffi';

/** Chromium ships a Vulkan loader and SwiftShader, a Vulkan driver that runs on the CPU. */
const CHROMIUM = '/usr/lib/chromium';
/** A library goes when its handle does, so handles are kept. */
const loaded: LibraryHandle[] = [];

/**
 * Lets this process and its children compute on SwiftShader where it asks for a GPU, so that GPU engines can be tested without one.
 * Call before an engine starts. Throws where Debian's chromium package is not installed.
 */
export function useSoftwareGpu(): void {
  const driver = `${CHROMIUM}/vk_swiftshader_icd.json`;
  if (!existsSync(driver)) throw new Error(`${driver} is missing: apt-get install chromium`);
  process.env['VK_ICD_FILENAMES'] = driver;
  // For processes started from here; this one's loader has read it already.
  process.env['LD_LIBRARY_PATH'] = CHROMIUM;
  // Once loaded under its own name, it is what a later dlopen("libvulkan.so.1") finds.
  loaded.push(koffi.load(`${CHROMIUM}/libvulkan.so.1`, { global: true }));
}
