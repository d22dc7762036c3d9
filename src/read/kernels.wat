;; The inner loops of reading a patch; pixel-memory.ts calls them. kernels.ts holds this file assembled:
;; test/read/kernels.test.ts compares the two and says how to make it anew.
(module
  (memory (export "memory") 0)

  ;; Copies a rectangle: $rows rows of $bytes bytes.
  (func (export "copy")
    (param $to i32) (param $toStride i32) (param $from i32) (param $fromStride i32) (param $bytes i32) (param $rows i32)
    (if (i32.eqz (local.get $rows)) (then (return)))
    (loop $next
      (memory.copy (local.get $to) (local.get $from) (local.get $bytes))
      (local.set $to (i32.add (local.get $to) (local.get $toStride)))
      (local.set $from (i32.add (local.get $from) (local.get $fromStride)))
      (br_if $next (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  ;; Fills a rectangle with one value.
  (func (export "fill") (param $to i32) (param $stride i32) (param $bytes i32) (param $rows i32) (param $value i32)
    (if (i32.eqz (local.get $rows)) (then (return)))
    (loop $next
      (memory.fill (local.get $to) (local.get $value) (local.get $bytes))
      (local.set $to (i32.add (local.get $to) (local.get $stride)))
      (br_if $next (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  ;; Lanes 0 to 2 plus lanes 3 to 5.
  (func $fold (param $lanes v128) (result v128)
    (i16x8.add
      (local.get $lanes)
      (i8x16.shuffle 6 7 8 9 10 11 0 0 0 0 0 0 0 0 0 0 (local.get $lanes) (local.get $lanes))))

  ;; Sums blocks of 8 × 8 RGB pixels of a square, and averages squares of $factor × $factor pixels if that is 2 or 4.
  ;; $source: its first byte, $stride: bytes from row to row, $blocks: its side in blocks.
  ;; $sums: blocks² × 3 sums of 16 bits. $means: (8 × blocks / $factor)² × 3 bytes.
  ;; Loads 4 bytes past the last pixel.
  (func (export "reduce")
    (param $source i32) (param $stride i32) (param $blocks i32) (param $sums i32) (param $means i32) (param $factor i32)
    (local $row i32) (local $col i32) (local $pair i32) (local $at i32) (local $to i32) (local $meansStride i32)
    (local $row0 v128) (local $row1 v128) (local $left v128) (local $right v128)
    (local $quadLeft v128) (local $quadRight v128) (local $block v128)
    (local.set $meansStride
      (select
        (i32.mul (local.get $blocks) (i32.const 12))
        (i32.mul (local.get $blocks) (i32.const 6))
        (i32.eq (local.get $factor) (i32.const 2))))
    (loop $rows
      (local.set $col (i32.const 0))
      (loop $cols
        (local.set $at (i32.add (local.get $source) (i32.mul (local.get $col) (i32.const 24))))
        (local.set $block (v128.const i64x2 0 0))
        (local.set $quadLeft (v128.const i64x2 0 0))
        (local.set $quadRight (v128.const i64x2 0 0))
        (local.set $pair (i32.const 0))
        (loop $pairsOfRows
          ;; Sums of horizontal pairs over two rows: lanes R01 G01 B01 R23 G23 B23 and two without meaning.
          (local.set $left
            (i16x8.add
              (i16x8.extadd_pairwise_i8x16_u
                (i8x16.shuffle 0 3 1 4 2 5 6 9 7 10 8 11 0 0 0 0
                  (local.tee $row0 (v128.load align=1 (local.get $at)))
                  (local.get $row0)))
              (i16x8.extadd_pairwise_i8x16_u
                (i8x16.shuffle 0 3 1 4 2 5 6 9 7 10 8 11 0 0 0 0
                  (local.tee $row1 (v128.load align=1 (i32.add (local.get $at) (local.get $stride))))
                  (local.get $row1)))))
          (local.set $right
            (i16x8.add
              (i16x8.extadd_pairwise_i8x16_u
                (i8x16.shuffle 0 3 1 4 2 5 6 9 7 10 8 11 0 0 0 0
                  (local.tee $row0 (v128.load offset=12 align=1 (local.get $at)))
                  (local.get $row0)))
              (i16x8.extadd_pairwise_i8x16_u
                (i8x16.shuffle 0 3 1 4 2 5 6 9 7 10 8 11 0 0 0 0
                  (local.tee $row1 (v128.load offset=12 align=1 (i32.add (local.get $at) (local.get $stride))))
                  (local.get $row1)))))
          (local.set $block
            (i16x8.add (local.get $block) (i16x8.add (local.get $left) (local.get $right))))
          (if (i32.eq (local.get $factor) (i32.const 2))
            (then
              (local.set $to
                (i32.add
                  (local.get $means)
                  (i32.add
                    (i32.mul (local.get $pair) (local.get $meansStride))
                    (i32.mul (local.get $col) (i32.const 12)))))
              (local.set $left
                (i8x16.narrow_i16x8_u
                  (i16x8.shr_u (i16x8.add (local.get $left) (v128.const i16x8 2 2 2 2 2 2 2 2)) (i32.const 2))
                  (i16x8.shr_u (i16x8.add (local.get $right) (v128.const i16x8 2 2 2 2 2 2 2 2)) (i32.const 2))))
              (local.set $left
                (i8x16.shuffle 0 1 2 3 4 5 8 9 10 11 12 13 0 0 0 0 (local.get $left) (local.get $left)))
              (v128.store64_lane align=1 0 (local.get $to) (local.get $left))
              (v128.store32_lane offset=8 align=1 2 (local.get $to) (local.get $left))))
          (if (i32.eq (local.get $factor) (i32.const 4))
            (then
              (local.set $quadLeft (i16x8.add (local.get $quadLeft) (local.get $left)))
              (local.set $quadRight (i16x8.add (local.get $quadRight) (local.get $right)))
              (if (i32.and (local.get $pair) (i32.const 1))
                (then
                  (local.set $to
                    (i32.add
                      (local.get $means)
                      (i32.add
                        (i32.mul (i32.shr_u (local.get $pair) (i32.const 1)) (local.get $meansStride))
                        (i32.mul (local.get $col) (i32.const 6)))))
                  (local.set $left
                    (i8x16.narrow_i16x8_u
                      (i16x8.shr_u
                        (i16x8.add (call $fold (local.get $quadLeft)) (v128.const i16x8 8 8 8 8 8 8 8 8))
                        (i32.const 4))
                      (i16x8.shr_u
                        (i16x8.add (call $fold (local.get $quadRight)) (v128.const i16x8 8 8 8 8 8 8 8 8))
                        (i32.const 4))))
                  (local.set $left
                    (i8x16.shuffle 0 1 2 8 9 10 0 0 0 0 0 0 0 0 0 0 (local.get $left) (local.get $left)))
                  (v128.store32_lane align=1 0 (local.get $to) (local.get $left))
                  (v128.store16_lane offset=4 align=1 2 (local.get $to) (local.get $left))
                  (local.set $quadLeft (v128.const i64x2 0 0))
                  (local.set $quadRight (v128.const i64x2 0 0))))))
          (local.set $at (i32.add (local.get $at) (i32.shl (local.get $stride) (i32.const 1))))
          (br_if $pairsOfRows
            (i32.lt_u (local.tee $pair (i32.add (local.get $pair) (i32.const 1))) (i32.const 4))))
        (local.set $block (call $fold (local.get $block)))
        (v128.store32_lane align=1 0 (local.get $sums) (local.get $block))
        (v128.store16_lane offset=4 align=1 2 (local.get $sums) (local.get $block))
        (local.set $sums (i32.add (local.get $sums) (i32.const 6)))
        (br_if $cols
          (i32.lt_u (local.tee $col (i32.add (local.get $col) (i32.const 1))) (local.get $blocks))))
      (local.set $source (i32.add (local.get $source) (i32.shl (local.get $stride) (i32.const 3))))
      (local.set $means
        (i32.add
          (local.get $means)
          (i32.mul
            (local.get $meansStride)
            (select (i32.const 4) (i32.const 2) (i32.eq (local.get $factor) (i32.const 2))))))
      (br_if $rows
        (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $blocks)))))

  ;; Adds $count bytes times $weight to as many floats: one row of pixels towards a mean over rows.
  ;; $count is rounded up to 16.
  (func (export "addRow") (param $sums i32) (param $from i32) (param $count i32) (param $weight f32)
    (local $end i32) (local $bytes v128) (local $low v128) (local $high v128) (local $weights v128)
    (local.set $weights (f32x4.splat (local.get $weight)))
    (local.set $end (i32.add (local.get $from) (local.get $count)))
    (loop $next
      (local.set $bytes (v128.load align=1 (local.get $from)))
      (local.set $low (i16x8.extend_low_i8x16_u (local.get $bytes)))
      (local.set $high (i16x8.extend_high_i8x16_u (local.get $bytes)))
      (v128.store (local.get $sums)
        (f32x4.add
          (v128.load (local.get $sums))
          (f32x4.mul (local.get $weights) (f32x4.convert_i32x4_u (i32x4.extend_low_i16x8_u (local.get $low))))))
      (v128.store offset=16 (local.get $sums)
        (f32x4.add
          (v128.load offset=16 (local.get $sums))
          (f32x4.mul (local.get $weights) (f32x4.convert_i32x4_u (i32x4.extend_high_i16x8_u (local.get $low))))))
      (v128.store offset=32 (local.get $sums)
        (f32x4.add
          (v128.load offset=32 (local.get $sums))
          (f32x4.mul (local.get $weights) (f32x4.convert_i32x4_u (i32x4.extend_low_i16x8_u (local.get $high))))))
      (v128.store offset=48 (local.get $sums)
        (f32x4.add
          (v128.load offset=48 (local.get $sums))
          (f32x4.mul (local.get $weights) (f32x4.convert_i32x4_u (i32x4.extend_high_i16x8_u (local.get $high))))))
      (local.set $sums (i32.add (local.get $sums) (i32.const 64)))
      (br_if $next (i32.lt_u (local.tee $from (i32.add (local.get $from) (i32.const 16))) (local.get $end)))))

  ;; Averages floats (RGB) along a row to bytes. $spans: for each of the $count pixels made, 20 bytes: address of the
  ;; first float relative to $sums (i32), pixels covered (i32), weight of the first (f32) and of the last (f32), those
  ;; between weigh 1, and what their sum is multiplied by (f32). $norm: likewise, for the whole row. Loads one float past
  ;; the last pixel.
  (func (export "averageRow")
    (param $to i32) (param $sums i32) (param $spans i32) (param $count i32) (param $norm f32)
    (local $at i32) (local $left i32) (local $sum v128)
    (if (i32.eqz (local.get $count)) (then (return)))
    (loop $next
      (local.set $at (i32.add (local.get $sums) (i32.load (local.get $spans))))
      (local.set $left (i32.load offset=4 (local.get $spans)))
      (local.set $sum
        (f32x4.mul (v128.load align=4 (local.get $at)) (v128.load32_splat offset=8 (local.get $spans))))
      (if (i32.gt_u (local.get $left) (i32.const 1))
        (then
          (loop $inner
            (local.set $at (i32.add (local.get $at) (i32.const 12)))
            (if (i32.gt_u (local.tee $left (i32.sub (local.get $left) (i32.const 1))) (i32.const 1))
              (then
                (local.set $sum (f32x4.add (local.get $sum) (v128.load align=4 (local.get $at))))
                (br $inner))))
          (local.set $sum
            (f32x4.add
              (local.get $sum)
              (f32x4.mul (v128.load align=4 (local.get $at)) (v128.load32_splat offset=12 (local.get $spans)))))))
      (local.set $sum
        (i32x4.trunc_sat_f32x4_u
          (f32x4.add
            (f32x4.mul
              (local.get $sum)
              (f32x4.mul (v128.load32_splat offset=16 (local.get $spans)) (f32x4.splat (local.get $norm))))
            (v128.const f32x4 0.5 0.5 0.5 0.5))))
      (local.set $sum (i16x8.narrow_i32x4_u (local.get $sum) (local.get $sum)))
      (local.set $sum (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum)))
      (v128.store16_lane align=1 0 (local.get $to) (local.get $sum))
      (v128.store8_lane offset=2 2 (local.get $to) (local.get $sum))
      (local.set $to (i32.add (local.get $to) (i32.const 3)))
      (local.set $spans (i32.add (local.get $spans) (i32.const 20)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; Sums of horizontal pairs of RGB pixels over two rows: lanes R01 G01 B01 R23 G23 B23 and two without meaning.
  ;; "reduce", which every patch goes through, has this in place: calling it here makes that a third to a half slower.
  (func $squares (param $at i32) (param $stride i32) (result v128)
    (local $row0 v128) (local $row1 v128)
    (i16x8.add
      (i16x8.extadd_pairwise_i8x16_u
        (i8x16.shuffle 0 3 1 4 2 5 6 9 7 10 8 11 0 0 0 0
          (local.tee $row0 (v128.load align=1 (local.get $at)))
          (local.get $row0)))
      (i16x8.extadd_pairwise_i8x16_u
        (i8x16.shuffle 0 3 1 4 2 5 6 9 7 10 8 11 0 0 0 0
          (local.tee $row1 (v128.load align=1 (i32.add (local.get $at) (local.get $stride))))
          (local.get $row1)))))

  ;; A quarter of each lane, halves rounded up.
  (func $quarter (param $sums v128) (result v128)
    (i16x8.shr_u (i16x8.add (local.get $sums) (v128.const i16x8 2 2 2 2 2 2 2 2)) (i32.const 2)))

  ;; Means of squares of 2 × 2 RGB pixels: $rows rows of $count pixels, made of twice as many rows of twice as many pixels that
  ;; follow one another. Loads 10 bytes past the last pixel.
  (func (export "halve")
    (param $to i32) (param $toStride i32) (param $from i32) (param $count i32) (param $rows i32)
    (local $stride i32) (local $left i32) (local $at i32) (local $out i32) (local $means v128)
    (if (i32.eqz (local.get $rows)) (then (return)))
    (local.set $stride (i32.mul (local.get $count) (i32.const 6)))
    (loop $row
      (local.set $at (local.get $from))
      (local.set $out (local.get $to))
      (local.set $left (local.get $count))
      (if (i32.ge_u (local.get $left) (i32.const 4))
        (then
          (loop $four
            (local.set $means
              (i8x16.narrow_i16x8_u
                (call $quarter (call $squares (local.get $at) (local.get $stride)))
                (call $quarter (call $squares (i32.add (local.get $at) (i32.const 12)) (local.get $stride)))))
            (local.set $means
              (i8x16.shuffle 0 1 2 3 4 5 8 9 10 11 12 13 0 0 0 0 (local.get $means) (local.get $means)))
            (v128.store64_lane align=1 0 (local.get $out) (local.get $means))
            (v128.store32_lane offset=8 align=1 2 (local.get $out) (local.get $means))
            (local.set $at (i32.add (local.get $at) (i32.const 24)))
            (local.set $out (i32.add (local.get $out) (i32.const 12)))
            (br_if $four
              (i32.ge_u (local.tee $left (i32.sub (local.get $left) (i32.const 4))) (i32.const 4))))))
      (if (local.get $left)
        (then
          (loop $one
            (local.set $means (call $quarter (call $squares (local.get $at) (local.get $stride))))
            (local.set $means (i8x16.narrow_i16x8_u (local.get $means) (local.get $means)))
            (v128.store16_lane align=1 0 (local.get $out) (local.get $means))
            (v128.store8_lane offset=2 2 (local.get $out) (local.get $means))
            (local.set $at (i32.add (local.get $at) (i32.const 6)))
            (local.set $out (i32.add (local.get $out) (i32.const 3)))
            (br_if $one (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
      (local.set $to (i32.add (local.get $to) (local.get $toStride)))
      (local.set $from (i32.add (local.get $from) (i32.mul (local.get $stride) (i32.const 2))))
      (br_if $row (local.tee $rows (i32.sub (local.get $rows) (i32.const 1)))))))
