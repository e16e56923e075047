;;; org_check.el --- What Org says of files, for test_blackboard_org.py  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; emacs -Q --batch -l org_check.el FILE...: for each file one line of JSON,
;; [headings, property drawers, levels, messages of `org-lint'].

;;; Code:

(require 'json)
(require 'org)
(require 'org-element)
(require 'org-lint)

(defun org-check-file (file)
  "Print what Org finds in FILE."
  (with-temp-buffer
    (insert-file-contents file)
    (let ((org-inhibit-startup t)) (org-mode))
    (let ((tree (org-element-parse-buffer)))
      (princ (json-encode
              (vector
               (vconcat (org-element-map tree 'headline
                          (lambda (one) (org-element-property :raw-value one))))
               (length (org-element-map tree 'property-drawer #'identity))
               (vconcat (org-element-map tree 'headline
                          (lambda (one) (org-element-property :level one))))
               (vconcat (mapcar (lambda (report) (aref (cadr report) 2)) (org-lint))))))
      (princ "\n"))))

(mapc #'org-check-file command-line-args-left)
(setq command-line-args-left nil)

;;; org_check.el ends here
