/** A rectangle to read, in output pixels: output pixel i spans level pixels [i × scale, (i + 1) × scale). */
export interface Region {
  readonly level: number;
  /** Level pixels per output pixel; 1 copies, anything else averages areas. */
  readonly scale: number;
  /** May be negative, and reach beyond the slide: what lies outside is zero. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Size of the slide in output pixels. */
  readonly slideWidth: number;
  readonly slideHeight: number;
  /** Top of the regions in the next row, in output pixels: tiles that end above it will not be needed again soon. */
  readonly nextTop: number;
}
