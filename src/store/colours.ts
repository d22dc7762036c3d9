/** One colour for stroma in every output: bluish green, far from H&E's pinks and safe for colour-blind eyes (Okabe & Ito 2008). */
export const STROMA_RGB = [0, 158, 115] as const;
