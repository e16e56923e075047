;;; build-info.el --- Format the manual  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; emacs -Q --batch -l build-info.el FILE.texi  writes FILE.info beside it.
;; The formatter is the one that Emacs brings along.  The line that says by
;; what and when it was made is left out, so that the result depends on the
;; source alone.

;;; Code:

(require 'texinfmt)
(require 'info)

(let ((file (pop command-line-args-left))
      (coding-system-for-write 'utf-8-unix)
      (make-backup-files nil))
  (with-current-buffer (find-file-noselect file)
    ;; Each paragraph of the source may be one long line.
    (setq fill-column 76)
    (texinfo-format-buffer t)
    (goto-char (point-min))
    (when (re-search-forward "^using .*texinfmt.*\n" 400 t)
      (replace-match ""))
    ;; It fills no paragraph that begins with a command.
    (let ((case-fold-search nil))
      (while (re-search-forward "^\\(\\(?:     \\)?\\)[`A-Z].\\{70,\\}$" nil t)
        (let ((fill-prefix (match-string 1)) (begin (match-beginning 0)))
          (when (and (not (string-prefix-p "File:" (match-string 0)))
                     (> (- (match-end 0) begin) 77))
            (fill-region-as-paragraph
             begin (save-excursion (if (re-search-forward "^$" nil t) (point)
                                     (point-max))))))))
    ;; The lines are counted before that; without them, Info looks for the name.
    (goto-char (point-min))
    (while (re-search-forward "^\\(\\* [^ ]+: +[A-Z][a-z]+\\.\\) +(line +[0-9]+)$" nil t)
      (replace-match "\\1"))
    (let ((inhibit-message t)) (Info-tagify))
    (save-buffer)))

;;; build-info.el ends here
