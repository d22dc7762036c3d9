import { OpenSlideProcess } from '#src/slide/openslide/openslide-process.js';

/**
 * Version of libopenslide on this machine; undefined without it or koffi. Both are optional: with them the tests talk to the
 * real library, without they check that its absence is told.
 */
export const installed = (await OpenSlideProcess.versions()).openslide;

/** Why a test that needs it is skipped, behind the test's name. */
export const orWhy = installed === undefined ? ' (libopenslide is not installed)' : '';
