import type { LabelLocation } from './label-source.js';
import { withoutRegion } from './region.js';

/** One image or slide of a labelled set, with its truth. */
export interface LabelledImage {
  /** Safe in subjects and folder names, unique in the set: [A-Za-z0-9_-]+. */
  readonly id: string;
  /** Group that must not be split: everything of one patient. */
  readonly patient: string;
  /** Nobody told the patient: `patient` is the image's or slide's own name. */
  readonly patientUnknown?: true;
  /** Part of the set it comes from, for people: 'tissue-bcss', … */
  readonly subset: string;
  /** 'image': decoded whole (openImageAsSlide); 'slide': opened as a slide. */
  readonly kind: 'image' | 'slide';
  readonly imagePath: string;
  /** The truth's file; the same as labels.path. */
  readonly maskPath: string;
  readonly labels: LabelLocation;
  /** µm/px of the file where the set states it; a slide states its own. */
  readonly mpp?: number;
  /** Pixels of the file; 0 for slides, which are measured when they are opened. */
  readonly width: number;
  readonly height: number;
}

/** A pair found by name, before anything was opened. */
export interface Candidate {
  readonly name: string;
  readonly subset: string;
  readonly kind: 'image' | 'slide';
  readonly imagePath: string;
  /** Absent: no truth was found, which is a fault. */
  readonly labels?: LabelLocation;
  readonly mpp?: number;
}

/** What a folder turned out to be. */
export interface Layout {
  /** 'folder', 'tiger', 'slides'. */
  readonly name: 'folder' | 'tiger' | 'slides';
  readonly candidates: readonly Candidate[];
  /** Truths without an image. */
  readonly orphans: readonly string[];
  /** Files left out because another one has their name but for its ending. */
  readonly ambiguous: readonly string[];
}

/**
 * Patient of an image by its name: what `pattern` captures (all it matches where it has no group), else the first twelve
 * characters of a TCGA barcode (project, site, participant), TIGER's RUMC and Jules Bordet numbering
 * (TC_S01_P000115_C0001_B105; 100B, 104S), else the name without its region.
 */
export function patientOf(name: string, pattern?: RegExp): string {
  return toldPatient(name, pattern) ?? withoutRegion(name);
}

/** The same; undefined where neither pattern nor a known numbering tells the patient. */
export function toldPatient(name: string, pattern?: RegExp): string | undefined {
  const custom = pattern?.exec(name);
  if (custom) return custom[1] ?? custom[0];
  const tcga = /^TCGA-[A-Za-z0-9]{2}-[A-Za-z0-9]{4}/.exec(name);
  if (tcga) return tcga[0];
  const numbered = /^(TC_S\d+_P\d+)_/.exec(name) ?? /^(\d+)[BS](?=_|$)/.exec(name);
  return numbered?.[1];
}
